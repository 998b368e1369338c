"""From an engine's answer to OpenAI's objects."""

import time
import uuid
from typing import Any

from inference.admission import Reply
from inference.runtime import Finish

from .logprobs import Logprobs, of_chat, of_text

# The only finish reasons that clients know; a cancelled answer has been cut short.
FINISH_REASONS = {"stop": "stop", "length": "length", "cancelled": "length"}


class Answer:
    """What all objects of one answer share."""

    object: str
    chunk_object: str
    prefix: str

    def __init__(self, generation: Reply, model: str) -> None:
        self.id = f"{self.prefix}-{uuid.uuid4().hex}"
        self._head = {
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": generation.fingerprint,
        }

    def chunk(self, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": self.chunk_object,
            **self._head,
            "choices": choices,
            **more,
        }

    def whole(self, choices: list[dict[str, Any]], finishes: list[Finish]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": self.object,
            **self._head,
            "choices": choices,
            "usage": usage(finishes),
            "timings": timings(finishes),
        }


class ChatAnswer(Answer):
    object = "chat.completion"
    chunk_object = "chat.completion.chunk"
    prefix = "chatcmpl"

    def opening(self, index: int) -> dict[str, Any]:
        return self._delta(index, {"role": "assistant", "content": ""}, None)

    def delta(self, index: int, text: str, logprobs: Logprobs) -> dict[str, Any]:
        return self._delta(index, {"content": text}, None, logprobs)

    def closing(self, index: int, finish: Finish) -> dict[str, Any]:
        return self._delta(index, {}, FINISH_REASONS[finish.reason])

    def choice(
        self, index: int, text: str, finish: Finish, logprobs: Logprobs = None
    ) -> dict[str, Any]:
        return {
            "index": index,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": of_chat(logprobs),
            "finish_reason": FINISH_REASONS[finish.reason],
        }

    def _delta(
        self,
        index: int,
        delta: dict[str, Any],
        reason: str | None,
        logprobs: Logprobs = None,
    ) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": of_chat(logprobs)}
        return self.chunk([{**choice, "finish_reason": reason}])


class TextAnswer(Answer):
    object = "text_completion"
    chunk_object = "text_completion"
    prefix = "cmpl"

    def opening(self, index: int) -> None:
        return None

    def delta(self, index: int, text: str, logprobs: Logprobs) -> dict[str, Any]:
        return self.chunk([self._choice(index, text, None, logprobs)])

    def closing(self, index: int, finish: Finish) -> dict[str, Any]:
        return self.chunk([self.choice(index, "", finish)])

    def choice(
        self, index: int, text: str, finish: Finish, logprobs: Logprobs = None
    ) -> dict[str, Any]:
        return self._choice(index, text, FINISH_REASONS[finish.reason], logprobs)

    def _choice(
        self, index: int, text: str, reason: str | None, logprobs: Logprobs
    ) -> dict[str, Any]:
        choice = {"index": index, "text": text, "logprobs": of_text(logprobs)}
        return {**choice, "finish_reason": reason}


def usage(finishes: list[Finish]) -> dict[str, Any]:
    prompt = sum(f.usage.prompt_tokens for f in finishes)
    completion = sum(f.usage.completion_tokens for f in finishes)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": sum(f.usage.cached_tokens for f in finishes)},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def timings(finishes: list[Finish]) -> dict[str, Any]:
    """Of the choice that took longest, under llama-server's names, in milliseconds."""
    last = max(finishes, key=lambda finish: finish.timings.total)
    decode, tokens = last.timings.decode, last.usage.completion_tokens
    return {
        "queued_ms": round(last.timings.queued * 1e3, 3),
        "cache_n": last.usage.cached_tokens,
        "prompt_n": last.usage.prompt_tokens - last.usage.cached_tokens,
        "prompt_ms": round(last.timings.prefill * 1e3, 3),
        "predicted_n": tokens,
        "predicted_ms": round(decode * 1e3, 3),
        "predicted_per_second": round((tokens - 1) / decode, 3) if decode > 0 else None,
    }
