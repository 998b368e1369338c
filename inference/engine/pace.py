"""How fast the queue moves."""

import heapq
from collections.abc import Iterable, Iterator

NEWEST_SHARE = 0.2  # of the mean: an engine is as fast as it has been lately
LEAST_LEFT = 0.25  # of the mean, for whoever has kept a place for longer than that


class Pace:
    """How long requests keep their places, and from that, when the next ones get theirs."""

    def __init__(self) -> None:
        self._mean: float | None = None  # seconds

    def note(self, seconds: float) -> None:
        """Somebody has left a place after so long."""
        if self._mean is None:
            self._mean = seconds
        else:
            self._mean += NEWEST_SHARE * (seconds - self._mean)

    def waits(self, ages: Iterable[float]) -> Iterator[float | None]:
        """Seconds until each in the queue enters, the next one first, and without an end.

        None, until somebody has left. As if everybody kept a place for the mean time,
        and whoever enters took the place that is free first.

        Args:
            ages: for how many seconds those that run have kept their places.
        """
        mean = self._mean
        left = [] if mean is None else [max(mean - age, mean * LEAST_LEFT) for age in ages]
        heapq.heapify(left)
        while mean is None or not left:
            yield None
        while True:
            yield left[0]
            heapq.heapreplace(left, left[0] + mean)
