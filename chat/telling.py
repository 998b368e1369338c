"""Frames about answers and branches, as their conversation's group hears them."""

from collections.abc import Iterator
from typing import Any

from . import groups
from .models import Conversation, Message
from .turns import Turn


def ids_of(answer: Message) -> dict[str, str]:
    return {"conversation": answer.conversation.uid.hex, "message": answer.uid.hex}


def accepted_frame(turn: Turn) -> dict[str, Any]:
    """Tells that an answer begins, and from where it goes on."""
    answer = turn.answer
    lengths = {"seq": len(answer.text), "reasoning_seq": len(answer.reasoning)}
    return {"type": "accepted", **ids_of(answer), "question": turn.question.uid.hex, **lengths}


def end_frames(answer: Message) -> Iterator[dict[str, Any]]:
    """Tell how an answer has ended; seconds are of the wall."""
    ids = ids_of(answer)
    if answer.error:
        yield {"type": "error", **ids, "code": answer.error_code, "text": answer.error}
    if answer.completion_tokens is not None:
        yield {
            "type": "usage",
            **ids,
            "prompt_tokens": answer.prompt_tokens,
            "cached_tokens": answer.cached_tokens,
            "completion_tokens": answer.completion_tokens,
            "first_token_seconds": answer.first_token_seconds,
            "tokens_per_second": answer.tokens_per_second,
            "context_length": answer.context_length,
            "unseen": answer.unseen,
        }
    yield {
        "type": "done",
        **ids,
        "seq": len(answer.text),
        "reasoning_seq": len(answer.reasoning),
        "status": str(answer.status),
        "finish_reason": answer.finish_reason,
    }


async def tell_switch(conversation: Conversation) -> None:
    """That another branch is shown, to whoever follows the conversation."""
    frame = {"type": "switched", "conversation": conversation.uid.hex}
    await groups.tell(groups.of_conversation(conversation.uid), frame)


async def tell_end(answer: Message) -> None:
    for frame in end_frames(answer):
        await groups.tell(groups.of_conversation(answer.conversation.uid), frame)
