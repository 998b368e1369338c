"""How an answer came to its end, for its row."""

from typing import Any

from inference.runtime import Finish

from .models import Status


def columns_of(finish: Finish) -> dict[str, Any]:
    """Of one that has come to its own end, or was stopped."""
    usage, timings, reason = finish.usage, finish.timings, str(finish.reason)
    return {
        "status": Status.STOPPED if reason == "cancelled" else Status.COMPLETE,
        "finish_reason": reason,
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "completion_tokens": usage.completion_tokens,
        "first_token_seconds": timings.queued + timings.prefill,
        "decode_seconds": timings.decode,
    }
