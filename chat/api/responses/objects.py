"""A response as programs see it, from the answer's row."""

from typing import Any

from chat.models import Message, Role, Status, StoredResponse
from chat.reading import Written

from .ids import conversation_id, response_id
from .parts import parts_of
from .timeline import output_of

# What is in every response; what its request said replaces it.
DEFAULTS: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
INTERRUPTED = "The server stopped while it was written; it can be continued in the chat."


def how_asked(answer: Message) -> StoredResponse:
    """How it was asked for; of an answer on a page, that nothing was said."""
    try:
        return answer.response
    except StoredResponse.DoesNotExist:
        previous = answer.parent and answer.parent.parent
        return StoredResponse(answer=answer, previous=previous)


def response_object(
    answer: Message, asked: StoredResponse, *, store: bool = True
) -> dict[str, Any]:
    """`answer` as it is now, while it is written as far as it was kept."""
    status = status_of(answer, asked)
    is_running = answer.is_running
    parts = parts_of(answer, Written.of(answer))
    return {
        "id": response_id(answer),
        "object": "response",
        "created_at": int(answer.created_at.timestamp()),
        "completed_at": _completed_at(answer) if status == "completed" else None,
        "status": status,
        "background": asked.is_background,
        "error": None if is_running else error_of(answer),
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "model": answer.model,
        "output": output_of(parts, "in_progress" if is_running else item_status(status)),
        "previous_response_id": _previous_id(asked),
        "conversation": {"id": conversation_id(answer.conversation)} if store else None,
        "store": store,
        "usage": usage_of(answer),
        **DEFAULTS,
        **asked.request,
    }


def at_the_start(response: dict[str, Any]) -> dict[str, Any]:
    """As it was when it began."""
    nothing = dict.fromkeys(("completed_at", "error", "incomplete_details", "usage"))
    return {**response, **nothing, "status": "in_progress", "output": []}


def status_of(answer: Message, asked: StoredResponse) -> str:
    match answer.status:
        case Status.RUNNING:
            has_begun = answer.text or answer.reasoning or answer.calls
            return "in_progress" if has_begun or not asked.is_background else "queued"
        case Status.COMPLETE:
            return "incomplete" if answer.finish_reason == "length" else "completed"
        case Status.STOPPED:
            return "cancelled"
    return "failed"


def item_status(status: str) -> str:
    """Of the last item of a response that is over."""
    return "completed" if status == "completed" else "incomplete"


def error_of(answer: Message) -> dict[str, str] | None:
    match answer.status:
        case Status.FAILED:
            return {"code": answer.error_code or "server_error", "message": answer.error}
        case Status.INTERRUPTED:
            return {"code": "server_error", "message": answer.error or INTERRUPTED}
    return None


def usage_of(answer: Message) -> dict[str, Any] | None:
    """None while nobody knows; `reasoning_tokens` by how much of the answer was thought."""
    if answer.prompt_tokens is None or answer.completion_tokens is None:
        return None
    cached = {"cached_tokens": answer.cached_tokens or 0, "cache_write_tokens": 0}
    return {
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": cached,
        "output_tokens": answer.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": _reasoning_tokens(answer)},
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }


def _reasoning_tokens(answer: Message) -> int:
    said = len(answer.text) + sum(len(call["arguments"]) for call in answer.calls)
    share = len(answer.reasoning) / (len(answer.reasoning) + said or 1)
    return round((answer.completion_tokens or 0) * share)


def _previous_id(asked: StoredResponse) -> str | None:
    previous = asked.previous
    return response_id(previous) if previous and previous.role == Role.ASSISTANT else None


def _completed_at(answer: Message) -> int:
    seconds = (answer.first_token_seconds or 0.0) + (answer.decode_seconds or 0.0)
    return int(answer.created_at.timestamp() + seconds)
