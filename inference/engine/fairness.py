"""What has been computed for whom, so that whoever has had least is next."""

from collections import Counter

NEWEST_SHARE = 0.2  # of the mean cost: requests cost what they have cost lately
FIRST_COST = 256.0  # tokens, until one has finished


class Shares:
    """Tokens computed for each owner of requests.

    The virtual token counter of Sheng et al., "Fairness in Serving Large Language Models"
    (OSDI 2024): a deficit round robin whose cost is known afterwards only. Who comes back
    is not owed anything for the time away, and has not got rid of what was had before it:
    the count goes on from the least of those who are there, or one's own if that is more.
    """

    def __init__(self) -> None:
        self._served: dict[str, float] = {}
        self._num_requests: Counter[str] = Counter()
        self._floor = 0.0
        self.mean_cost = FIRST_COST

    def arrive(self, owner: str) -> None:
        """One more request of the owner's, waiting or running."""
        if not self._num_requests[owner]:
            self._raise_floor()
            self._served[owner] = max(self._served.get(owner, 0.0), self._floor)
        self._num_requests[owner] += 1

    def leave(self, owner: str, cost: int | None) -> None:
        """One of them is gone; so many tokens were computed for it. None: it never ran."""
        if cost is not None:
            self.mean_cost += NEWEST_SHARE * (cost - self.mean_cost)
        self._raise_floor()
        self._num_requests[owner] -= 1
        if not self._num_requests[owner]:
            del self._num_requests[owner]

    def charge(self, owner: str, num_tokens: int) -> None:
        self._served[owner] += num_tokens

    def served(self, owner: str) -> float:
        return self._served.get(owner, self._floor)

    @property
    def num_owners(self) -> int:
        """Those who have requests here."""
        return len(self._num_requests)

    def _raise_floor(self) -> None:
        present = [self._served[owner] for owner in self._num_requests]
        self._floor = max(self._floor, min(present, default=self._floor))
        absent = [
            owner
            for owner, served in self._served.items()
            if served <= self._floor and owner not in self._num_requests
        ]
        for owner in absent:
            del self._served[owner]
