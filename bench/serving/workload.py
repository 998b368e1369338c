"""What is measured of one server under one load."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from .answer import Answer
from .meter import Meter
from .server import Server


@dataclass(slots=True)
class Measured:
    """
    Attributes:
        answers: those that the load consisted of.
        timed: those of them that times to first token are taken from.
        seconds: that the load took.
        facts: what only this workload knows, such as an idle server's time.
    """

    answers: list[Answer]
    seconds: float
    cpu_seconds: float
    front_seconds: float
    peak_bytes: int
    timed: list[Answer] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        return sum(answer.tokens for answer in self.answers)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a workload is run: `count` people or requests, `prompt` and `answer`
    tokens of each; `slots` are computed at once. `system`: tokens of a shared prompt.
    """

    slots: int
    count: int
    prompt: int
    answer: int
    seconds: float = 0.0
    repeat: int = 1
    system: int = 0


Run = Callable[[Server, Size, int, float], Awaitable[Measured]]


@dataclass(frozen=True, slots=True)
class Workload:
    """`run` is given the server, the size, a seed, and the temperature to ask with."""

    key: str
    title: str
    run: Run
    full: Size
    quick: Size
    gpu: Size
    has_accounts: bool = False
    needs_batching: bool = False
    is_default: bool = True  # on a CPU, if no workload is named

    def size(self, kind: str) -> Size:
        return {"full": self.full, "quick": self.quick, "gpu": self.gpu}[kind]


async def measured(server: Server, load: Callable[[], Awaitable[list[Answer]]]) -> Measured:
    """Run the load, and look at the server meanwhile."""
    meter = Meter(server.processes)
    meter.start()
    started = time.monotonic()
    try:
        answers = await load()
    finally:
        seconds = time.monotonic() - started
        meter.stop()
    return Measured(
        answers=answers,
        seconds=seconds,
        cpu_seconds=meter.cpu,
        front_seconds=meter.front_seconds,
        peak_bytes=meter.peak_bytes,
        timed=answers,
    )
