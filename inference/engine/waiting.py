"""Those who wait for a place, and whose turn is when."""

from collections import Counter, deque
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from .fairness import Shares
from .request import Sequence

AGEING_SECONDS = 30.0  # of waiting, after which a request counts as one class better


class Waiting:
    """Classes follow each other; within one, whoever's owner has had least is next.

    Pure state, like the scheduler it belongs to.
    """

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._sequences: list[Sequence] = []  # as they came

    def __len__(self) -> int:
        return len(self._sequences)

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self._sequences)

    def add(self, sequence: Sequence) -> None:
        """Behind those who came before it; who had a place goes on before newcomers."""
        place = len(self._sequences)
        while place and self._sequences[place - 1].order > sequence.order:
            place -= 1
        self._sequences.insert(place, sequence)

    def remove(self, sequence: Sequence) -> None:
        self._sequences.remove(sequence)

    def enter(self, sequence: Sequence, now: float) -> None:
        """It has a place: what its owner wants besides, of that class, waits for the next one
        only from now on. Or all of a crowd would be of a better class after a while.
        """
        self.remove(sequence)
        for other in self._sequences:
            if _line(other) == _line(sequence):
                other.waits_since = now

    def in_turn(self, now: float, num_running: Counter[str]) -> Iterator[Sequence]:
        """Everybody who waits, next one first.

        As if each cost as much as others lately, and each that runs had cost it already.
        """
        for sequence in self._sequences:
            sequence.rank = rank(sequence.request.priority, sequence.waits_since, now)
        by_rank = attrgetter("rank")
        for _, ranked in groupby(sorted(self._sequences, key=by_rank), key=by_rank):
            yield from self._by_owner(list(ranked), Counter(num_running))

    def _by_owner(self, sequences: list[Sequence], num_entered: Counter[str]) -> Iterator[Sequence]:
        queues: dict[str, deque[Sequence]] = {}
        for sequence in sequences:
            queues.setdefault(sequence.owner, deque()).append(sequence)

        def had(owner: str) -> tuple[float, int]:
            expected = num_entered[owner] * self._shares.mean_cost
            return self._shares.served(owner) + expected, queues[owner][0].order

        while queues:
            owner = min(queues, key=had)
            num_entered[owner] += 1
            yield queues[owner].popleft()
            if not queues[owner]:
                del queues[owner]


def _line(sequence: Sequence) -> tuple[str, int]:
    return sequence.owner, sequence.request.priority


def rank(priority: int, waits_since: float, now: float) -> int:
    """That class, or a better one after its owner has waited long; seconds of one clock."""
    return max(0, priority - int((now - waits_since) / AGEING_SECONDS))
