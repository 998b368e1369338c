"""Tells how far those are who wait for their text."""

import math
from collections.abc import Iterator

from .pace import Pace
from .progress import Progress
from .scheduler import Scheduler

INTERVAL_SECONDS = 0.1  # between two reports; answers are written far more often


class Reporter:
    """Looks at a scheduler now and then, and reports what has changed since.

    Pure but for what it told last; only requests that ask for their progress count.
    """

    def __init__(self, scheduler: Scheduler, pace: Pace) -> None:
        self._scheduler = scheduler
        self._pace = pace
        self._told: dict[int, Progress] = {}
        self._due = -math.inf

    def hurry(self) -> None:
        """Somebody has come, or entered, and is to know it at once."""
        self._due = -math.inf

    def report(self, now: float) -> dict[int, Progress] | None:
        """By request id; None if there is nothing new, or the last report is too fresh."""
        if now < self._due:
            return None
        self._due = now + INTERVAL_SECONDS
        told, self._told = self._told, dict(self._all(now))
        return {id: p for id, p in self._told.items() if told.get(id) != p} or None

    def _all(self, now: float) -> Iterator[tuple[int, Progress]]:
        running, waiting = self._scheduler.running, self._scheduler.queue(now)
        for sequence in running:
            if sequence.request.with_progress and not sequence.is_decoding:
                done, total = sequence.num_computed, sequence.num_tokens
                cached = sequence.usage().cached_tokens
                yield sequence.id, Progress("prefill", done=done, total=total, cached=cached)
        waits = self._pace.waits(sequence.age(now) for sequence in running)
        for position, (sequence, wait) in enumerate(zip(waiting, waits, strict=False)):
            if sequence.request.with_progress:
                eta = None if wait is None else float(math.ceil(wait))
                yield sequence.id, Progress("queued", position=position, eta=eta)
