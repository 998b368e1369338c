"""What the pool knows of one model, loaded or not."""

import asyncio
import time
from dataclasses import dataclass, field

import msgspec

from .config import EngineConfig
from .errors import EngineError
from .host import EngineHost
from .stats import Load

OVERHEAD_BYTES = 256 * 2**20  # of a model whose memory is not known yet, beside its file
LONGEST_BACKOFF_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model as the registry describes it. The timeout is in seconds, 0 for never."""

    config: EngineConfig
    size_bytes: int
    is_pinned: bool = False
    idle_timeout: float = 900.0

    @property
    def id(self) -> str:
        return self.config.model_id


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One model's engine, for people and gauges."""

    model_id: str
    state: str  # loading, ready, leaving, crashed
    progress: float = 1.0
    load: Load = Load()
    num_loading_for: int = 0  # requests that wait for it to be loaded
    memory_bytes: int = 0
    context_length: int = 0
    device: str = ""
    draft_problem: str = ""  # why its draft model is not used
    pid: int | None = None
    crashes: int = 0


@dataclass(eq=False, slots=True)
class ManagedModel:
    """What the pool knows of one model."""

    spec: ModelSpec
    host: EngineHost | None = None
    loading: "asyncio.Task[EngineHost] | None" = None
    num_loading_for: int = 0  # who waits for `loading`, or has just been woken by its end
    progress: float = 0.0
    is_leaving: bool = False  # takes no more requests; unloaded once idle
    memory_bytes: int = 0  # once it was loaded; 0 before
    crashes: int = 0  # in a row
    retry_at: float = 0.0
    last_error: EngineError | None = None
    last_used: float = field(default_factory=time.monotonic)

    @property
    def needed_bytes(self) -> int:
        return self.memory_bytes or int(self.spec.size_bytes * 1.1) + OVERHEAD_BYTES

    def is_serving(self, spec: ModelSpec) -> bool:
        host = self.host
        is_up = host is not None and host.is_open and not self.is_leaving
        return is_up and self.spec.config == spec.config

    def become(self, spec: ModelSpec) -> None:
        """What was learnt of another configuration does not count any more."""
        if self.spec.config != spec.config:
            self.memory_bytes = 0
        self.spec = spec

    async def hand_over(self) -> None:
        """Let those who waited for the load that is done submit what they waited with.

        Otherwise two models that are wanted at once, where one fits, would unload each
        other for ever, and nobody would be answered.
        """
        while self.num_loading_for and self.loading is None:  # noqa: ASYNC110  a turn or two
            await asyncio.sleep(0)

    def note_failure(self, error: EngineError) -> None:
        """Count it; the next try has to wait for a time that doubles, from none."""
        self.crashes += 1
        self.last_error = error
        doublings = min(self.crashes - 2, 10)  # so many are more than the longest
        wait = min(2.0**doublings, LONGEST_BACKOFF_SECONDS) if self.crashes > 1 else 0.0
        self.retry_at = time.monotonic() + wait

    def status(self) -> EngineStatus | None:
        """None for a model that is just not loaded."""
        host, name = self.host, self.spec.id
        if host is not None:
            return EngineStatus(
                model_id=name,
                state="leaving" if self.is_leaving or not host.is_open else "ready",
                load=host.load,
                num_loading_for=self.num_loading_for,
                memory_bytes=self.memory_bytes,
                context_length=host.info.context_length,
                device=host.info.device,
                draft_problem=host.info.draft_problem,
                pid=host.pid,
                crashes=self.crashes,
            )
        if self.loading is not None:
            return EngineStatus(
                model_id=name,
                state="loading",
                progress=self.progress,
                num_loading_for=self.num_loading_for,
            )
        if self.crashes:
            return EngineStatus(model_id=name, state="crashed", crashes=self.crashes)
        return None
