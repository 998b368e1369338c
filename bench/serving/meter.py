"""What a tree of processes takes: CPU time, and memory at its peak."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

LOOK_SECONDS = 0.25


def family(pid: int) -> list[psutil.Process]:
    """The process and all that it has started, the process first."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def cpu_seconds(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def resident_bytes(processes: list[psutil.Process]) -> int:
    """Pages that several processes share are counted for each."""
    total = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


@dataclass
class Meter:
    """Measures between `start` and `stop`.

    `processes` says who there is, the one that faces the clients first; the CPU time of
    that one by itself is `front_seconds`.
    """

    processes: Callable[[], list[psutil.Process]]
    cpu: float = 0.0
    front_seconds: float = 0.0
    peak_bytes: int = 0
    _task: "asyncio.Task[None] | None" = field(default=None, repr=False)

    def start(self) -> None:
        now = self.processes()
        self.cpu, self.front_seconds = -cpu_seconds(now), -cpu_seconds(now[:1])
        self._task = asyncio.create_task(self._watch())

    def stop(self) -> None:
        now = self.processes()
        self._look(now)
        self.cpu += cpu_seconds(now)
        self.front_seconds += cpu_seconds(now[:1])
        if self._task:
            self._task.cancel()

    def _look(self, processes: list[psutil.Process]) -> None:
        self.peak_bytes = max(self.peak_bytes, resident_bytes(processes))

    async def _watch(self) -> None:
        while True:
            self._look(self.processes())
            await asyncio.sleep(LOOK_SECONDS)
