"""Several answers in a row, made to one: our models answer in one piece.

Elsewhere a model speaks, calls a tool, and speaks again. What the tool said is not
imported, and then its answers follow each other.
"""

from collections import Counter

from .base import ASSISTANT, MAX_TEXT, DraftMessage

Messages = list[DraftMessage]
BETWEEN = "\n\n"


def joined(messages: Messages, head: str | None) -> Messages:
    """The messages, parents first, each answer with the one that follows it.

    They stay apart where more than one follows, or none is shown: so no text is there
    twice. And where it would be longer than a message may be.
    """
    num_following = Counter(message.parent for message in messages)
    runs: dict[str | None, Messages] = {}  # of answers, by the key of the last one
    lengths: dict[str | None, int] = {}
    for message in messages:
        if message.role != ASSISTANT:
            continue
        before, length = message.parent, len(message.text)
        whole = lengths.get(before, MAX_TEXT) + len(BETWEEN) + length
        if num_following[before] == 1 and before != head and whole <= MAX_TEXT:
            runs[message.key], lengths[message.key] = runs.pop(before), whole
        else:
            runs[message.key], lengths[message.key] = [], length
        runs[message.key].append(message)
    is_kept = (one.role != ASSISTANT or one.key in runs for one in messages)
    kept = [one for one, is_last in zip(messages, is_kept, strict=True) if is_last]
    return [_whole(runs[one.key]) if one.key in runs else one for one in kept]


def _whole(run: Messages) -> DraftMessage:
    """What follows the last one follows it then."""
    last = run[-1]
    last.text = BETWEEN.join(one.text for one in run)
    last.parent = run[0].parent
    return last
