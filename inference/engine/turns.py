"""Which turns of a conversation go when it has outgrown its context."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from .request import ContextPolicy

SYSTEM = ("system", "developer")
FRAME_CHARS = 20  # about what a template writes around a message

Message = Mapping[str, Any]


def reserve(max_tokens: int | None, context_length: int) -> int:
    """Tokens that a trimmed prompt leaves to its answer, if it can."""
    quarter = max(1, context_length // 4)
    return min(max_tokens or quarter, quarter)


def turns_of(messages: Sequence[Message]) -> list[list[int]]:
    """Indices of each turn's messages: a user's, and all that answer it.

    Messages before the first user's are a turn, too. System messages belong to none.
    """
    turns: list[list[int]] = []
    for index, message in enumerate(messages):
        role = message.get("role")
        if role in SYSTEM:
            continue
        if role == "user" or not turns:
            turns.append([])
        turns[-1].append(index)
    return turns


def to_drop(
    messages: Sequence[Message],
    policy: ContextPolicy,
    limit: int,
    num_tokens: Callable[[list[int]], int],
) -> list[int]:
    """Indices of the messages that the model does not get to see.

    Whole turns, and as few of them as make the prompt `limit` tokens at most; all that
    may go, if that is not enough. System messages and the last turn stay.

    Args:
        num_tokens: of the prompt without the messages of those indices. It is slow, so
            it is asked about few sets, each of them once.
    """
    turns = _in_order(turns_of(messages), policy)
    total = num_tokens([]) if turns else 0
    if total <= limit:
        return []

    def fits(number: int) -> bool:
        return num_tokens(_indices(turns[:number])) <= limit

    weights = [sum(_weight(messages[index]) for index in turn) for turn in turns]
    excess = sum(map(_weight, messages)) * (total - limit) / total
    guess = 1 + sum(dropped < excess for dropped in accumulate(weights))
    return _indices(turns[: _smallest(len(turns), fits, guess)])


def _in_order(turns: list[list[int]], policy: ContextPolicy) -> list[list[int]]:
    """Those that may go, the first to go first."""
    match policy:
        case ContextPolicy.ERROR:
            return []
        case ContextPolicy.DROP_OLDEST:
            return turns[:-1]
        case ContextPolicy.MIDDLE_OUT:
            return [*turns[1:-1], *turns[:-1][:1]]


def _indices(turns: list[list[int]]) -> list[int]:
    return sorted(index for turn in turns for index in turn)


def _weight(message: Message) -> int:
    return len(str(message.get("content") or "")) + FRAME_CHARS


def _smallest(most: int, fits: Callable[[int], bool], guess: int) -> int:
    """The smallest number from 1 that fits, or `most`, as if that one always did.

    Looks near the guess first, then farther and farther away, and halves what is left
    once it knows one that fits and one that does not.
    """
    too_few, enough, stride = 0, most, 1
    probe = guess
    while enough - too_few > 1:
        probe = min(max(probe, too_few + 1), enough - 1)
        if fits(probe):
            enough, probe = probe, probe - stride
        else:
            too_few, probe = probe, probe + stride
        stride *= 2
        if too_few and enough < most:
            probe = (too_few + enough) // 2
    return enough
