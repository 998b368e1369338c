"""Decides which inputs are computed in the next step."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from .embedding import Job


@dataclass(frozen=True, slots=True)
class Share:
    """A request's part of a step: its next inputs."""

    job: Job
    inputs: list[list[int]]


class Rota:
    """One input of each request in turn, so that a large one holds up nobody.

    Pure state: no thread, no clock, no model. Classes of priority follow each other,
    and within one, who was in a step goes behind who was not. A step holds one input,
    however long, and others as far as they fit.
    """

    def __init__(self, *, batch_tokens: int, max_inputs: int) -> None:
        self.batch_tokens = batch_tokens
        self.max_inputs = max_inputs
        self.jobs: list[Job] = []

    def add(self, job: Job) -> None:
        self.jobs.append(job)

    def remove(self, job: Job) -> None:
        self.jobs.remove(job)

    def plan(self) -> list[Share]:
        """Their jobs are to count the inputs as done before they are asked again."""
        counts: dict[Job, int] = {}
        room = self.batch_tokens
        for job, tokens in self._turns():
            room -= len(tokens)
            if counts and (room < 0 or sum(counts.values()) == self.max_inputs):
                break
            counts[job] = counts.get(job, 0) + 1
        self.jobs = [*(job for job in self.jobs if job not in counts), *counts]
        return [Share(job, job.inputs[job.num_done :][:count]) for job, count in counts.items()]

    def _turns(self) -> Iterator[tuple[Job, list[int]]]:
        """Everybody's inputs that are left, in the order of their turns."""

        def priority(job: Job) -> int:
            return job.request.priority

        for _, jobs in groupby(sorted(self.jobs, key=priority), key=priority):
            turns = deque((job, iter(job.inputs[job.num_done :])) for job in jobs)
            while turns:
                job, inputs = turns.popleft()
                tokens = next(inputs, None)
                if tokens is not None:
                    yield job, tokens
                    turns.append((job, inputs))
