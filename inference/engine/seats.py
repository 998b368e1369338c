"""How many requests an engine takes at a time, and of whom."""

import threading
from collections import Counter


class Seats:
    """One for each request, from its arrival to its end, so that no queue grows without limit.

    When all are taken, owners who have less than an equal share of them still get one: no
    crowd has others refused. So there are at most twice as many. For any thread.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._taken: Counter[str] = Counter()  # by owner
        self._lock = threading.Lock()

    @property
    def num_taken(self) -> int:
        return self._taken.total()

    def take(self, owner: str) -> bool:
        """False if there is none for the owner."""
        with self._lock:
            if not self._may_have(owner):
                return False
            self._taken[owner] += 1
            return True

    def give_back(self, owner: str) -> None:
        with self._lock:
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]

    def _may_have(self, owner: str) -> bool:
        if self.num_taken < self.number:
            return True
        share = self.number // len({*self._taken, owner})
        return self._taken.get(owner, 0) < share and self.num_taken < 2 * self.number
