"""Decides which inputs are computed in the next step."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from .embedding import Job
from .fairness import Shares
from .waiting import rank


@dataclass(frozen=True, slots=True)
class Share:
    """A request's part of a step: its next inputs."""

    job: Job
    inputs: list[list[int]]


class Rota:
    """One input at a time, of whoever's owner has had the fewest tokens; of an owner's requests
    in turn, so that a large one holds up nobody.

    Pure state: no thread, no clock, no model. Classes of priority follow each other, and a
    long wait is as good as a class. A step holds one input, however long, and others as far
    as they fit.
    """

    def __init__(self, *, batch_tokens: int, max_inputs: int) -> None:
        self.batch_tokens = batch_tokens
        self.max_inputs = max_inputs
        self.jobs: list[Job] = []
        self._shares = Shares()

    def add(self, job: Job) -> None:
        self._shares.arrive(job.owner)
        self.jobs.append(job)

    def remove(self, job: Job) -> None:
        self._shares.leave(job.owner, None)
        self.jobs.remove(job)

    def plan(self, now: float) -> list[Share]:
        """Their jobs are to count the inputs as done before they are asked again.

        Args:
            now: seconds on the clock by which the jobs came.
        """
        counts: dict[Job, int] = {}
        room = self.batch_tokens
        for job, tokens in self._turns(now):
            room -= len(tokens)
            if counts and (room < 0 or sum(counts.values()) == self.max_inputs):
                break
            counts[job] = counts.get(job, 0) + 1
            self._shares.charge(job.owner, len(tokens))
        self.jobs = [*(job for job in self.jobs if job not in counts), *counts]
        served = {_line(job) for job in counts}
        for job in self.jobs:
            if _line(job) in served:
                job.waits_since = now
        return [Share(job, job.inputs[job.num_done :][:count]) for job, count in counts.items()]

    def _turns(self, now: float) -> Iterator[tuple[Job, list[int]]]:
        """Everybody's inputs that are left, in the order of their turns."""

        def aged(job: Job) -> int:
            return rank(job.request.priority, job.waits_since, now)

        for _, jobs in groupby(sorted(self.jobs, key=aged), key=aged):
            lines: dict[str, deque[tuple[Job, Iterator[list[int]]]]] = {}
            for job in jobs:
                inputs = iter(job.inputs[job.num_done :])
                lines.setdefault(job.owner, deque()).append((job, inputs))
            while lines:
                owner = min(lines, key=self._shares.served)
                job, inputs = lines[owner].popleft()
                tokens = next(inputs, None)
                if tokens is not None:
                    yield job, tokens
                    lines[owner].append((job, inputs))
                elif not lines[owner]:
                    del lines[owner]


def _line(job: Job) -> tuple[str, int]:
    return job.owner, job.request.priority
