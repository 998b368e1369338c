"""Several answers in a row, made to one: our models answer in one piece.

Elsewhere a model speaks, calls a tool, and speaks again. What the tool said is not
imported, and then its answers follow each other.
"""

from chat.models import Role

from .base import DraftMessage

Messages = list[DraftMessage]
MAX_RUN = 16  # beyond it they stay apart: each holds the texts of all before it


def joined(messages: Messages, head: str | None) -> tuple[Messages, str | None]:
    """The messages with no answer to an answer, parents first; and the head's key then."""
    by_key = {message.key: message for message in messages}
    swallowed: set[str] = set()
    lengths: dict[str, int] = {}
    for message in messages:
        before = by_key.get(message.parent or "")
        if not before or message.role != Role.ASSISTANT or before.role != Role.ASSISTANT:
            continue
        length = lengths.get(before.key, 1) + 1
        if length <= MAX_RUN:
            lengths[message.key] = length
            message.text = f"{before.text}\n\n{message.text}"
            message.parent = before.parent
            swallowed.add(before.key)
    kept = swallowed & _needed(messages, head)
    return [one for one in messages if one.key not in swallowed or one.key in kept], head


def _needed(messages: Messages, head: str | None) -> set[str]:
    """What something else still follows, or what is shown last."""
    return {one.parent for one in messages if one.parent} | ({head} if head else set())
