"""All engines of one web process: who is loaded, who has to go, who comes back."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .config import EngineConfig
from .errors import (
    BackendUnusable,
    EngineError,
    EngineRestarting,
    EngineStopped,
    ModelLoadFailed,
    OutOfMemory,
)
from .host import EngineHost
from .stats import Load
from .stream import Outcome, TokenStream

logger = logging.getLogger(__name__)

OVERHEAD_BYTES = 256 * 2**20  # of a model whose memory is not known yet, beside its file
LONGEST_BACKOFF_SECONDS = 60.0
HEALTHY_SECONDS = 60.0  # a process that lived so long starts counting its crashes anew
WATCH_SECONDS = 1.0


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


@dataclass(frozen=True, slots=True)
class PoolLimits:
    max_models: int  # 0: as many as fit
    memory_bytes: int
    load_timeout: float = 600.0  # seconds, for making room and loading each
    drain_seconds: float = 10.0


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One model's engine, for people and gauges."""

    model_id: str
    state: str  # loading, ready, leaving, crashed
    progress: float = 1.0
    load: Load = Load()
    memory_bytes: int = 0
    context_length: int = 0
    device: str = ""
    pid: int | None = None
    crashes: int = 0
    has_chat_template: bool = True


@dataclass(eq=False, slots=True)
class Engine:
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


class EnginePool:
    """Loads models on first use, and unloads them when they idle or others need room.

    Loads happen one at a time, in the order asked for. One that finds no idle model
    to unload makes the least recently used one finish its answers and leave, so no
    model waits for ever behind a busy one. Pinned models stay. All on one event loop.
    """

    def __init__(
        self, limits: PoolLimits, make_host: Callable[..., EngineHost] = EngineHost
    ) -> None:
        self.limits = limits
        self._make_host = make_host
        self._engines: dict[str, Engine] = {}
        self._loading_one = asyncio.Lock()
        self._is_closed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._background(self._watch())

    async def submit(
        self,
        spec: ModelSpec,
        on_end: Callable[[Outcome], None] | None = None,
        **fields: Any,
    ) -> TokenStream:
        """Queue a request (see `Request` for the fields), loading the model if need be.

        Raises:
            EngineError: every refusal, before anything is computed.
        """
        while True:
            host = await self.load(spec)
            if host.is_open:  # it may have been unloaded just now
                self._engines[spec.id].last_used = time.monotonic()
                return await host.submit(on_end, **fields)

    async def load(self, spec: ModelSpec) -> EngineHost:
        """The model's engine; all who ask while it loads wait for the same load."""
        if self._is_closed:
            raise _shutting_down()
        engine = self._engines.setdefault(spec.id, Engine(spec))
        if engine.is_serving(spec):
            assert engine.host is not None
            engine.spec = spec  # it may be pinned now, or not any more
            return engine.host
        if engine.loading is None:
            self._refuse_while_backing_off(engine, spec)
            engine.loading = self._background(self._load(engine, spec))
        engine.num_loading_for += 1
        try:
            return await asyncio.shield(engine.loading)
        finally:
            engine.num_loading_for -= 1

    async def unload(self, model_id: str) -> bool:
        """Let the model finish what it runs, within the drain time, and free its memory."""
        engine = self._engines.get(model_id)
        if engine is None or engine.host is None:
            return False
        await self._stop(engine, self.limits.drain_seconds)
        return True

    async def close(self) -> None:
        """Refuse new requests, drain the running ones, and leave no process behind."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        hosts = [e.host for e in self._engines.values() if e.host]
        await asyncio.gather(*(h.stop(self.limits.drain_seconds) for h in hosts))

    def status(self) -> list[EngineStatus]:
        """Every model that is loaded, loading or crashed."""
        return [s for s in map(_status, self._engines.values()) if s]

    # Loading

    def _refuse_while_backing_off(self, engine: Engine, spec: ModelSpec) -> None:
        if engine.spec.config != spec.config:  # perhaps mended
            engine.crashes, engine.retry_at = 0, 0.0
        wait = engine.retry_at - time.monotonic()
        if wait > 0:
            raise EngineRestarting(
                f"The engine of {spec.id} failed {engine.crashes} times in a row and is tried"
                f" again in {wait:.0f} s. The last failure: {engine.last_error}",
                retry_after=max(1.0, wait),
            )

    async def _load(self, engine: Engine, spec: ModelSpec) -> EngineHost:
        try:
            async with self._loading_one:
                if engine.host and engine.is_serving(spec):
                    return engine.host  # it was to leave, and has stayed
                await self._retire(engine)
                engine.become(spec)
                engine.progress, engine.is_leaving = 0.0, False
                try:
                    async with asyncio.timeout(self.limits.load_timeout):
                        await self._make_room(engine)
                except TimeoutError:
                    raise OutOfMemory(
                        f"There is no room for {spec.id}: the models in memory are busy.",
                        retry_after=30,
                    ) from None
                return await self._start(engine)
        except (ModelLoadFailed, BackendUnusable) as error:
            if not isinstance(error, OutOfMemory):
                engine.note_failure(error)
            raise
        except asyncio.CancelledError:  # by `close`: those who wait were not cancelled
            raise _shutting_down() from None
        finally:
            engine.loading = None

    async def _start(self, engine: Engine) -> EngineHost:
        while True:
            budget = self.limits.memory_bytes - self._used_bytes()
            config = msgspec.structs.replace(engine.spec.config, memory_limit=max(0, budget))
            host = self._make_host(
                config,
                on_exit=lambda host: self._exited(engine, host),
                on_progress=lambda progress: setattr(engine, "progress", progress),
            )
            try:
                await host.start(self.limits.load_timeout)
            except OutOfMemory:
                # The device had less than the plan said: make room the hard way.
                victim = self._victim(engine)
                if victim is None:
                    raise
                await self._retire(victim)
                continue
            engine.host, engine.memory_bytes = host, host.info.memory_bytes
            engine.last_used = time.monotonic()
            logger.info("model loaded", extra={"model": engine.spec.id, "pid": host.pid})
            return host

    async def _make_room(self, engine: Engine) -> None:
        while not self._fits(engine):
            victim = self._victim(engine)
            if victim is not None:
                await self._retire(victim)
            elif self._loaded():
                raise OutOfMemory(
                    f"There is no room for {engine.spec.id}: what is in memory is pinned.",
                    retry_after=30,
                )
            else:
                raise OutOfMemory(
                    f"{engine.spec.id} needs about {engine.needed_bytes >> 20} MiB,"
                    f" and the limit is {self.limits.memory_bytes >> 20} MiB."
                )

    def _fits(self, engine: Engine) -> bool:
        has_place = not self.limits.max_models or len(self._loaded()) < self.limits.max_models
        return has_place and self._used_bytes() + engine.needed_bytes <= self.limits.memory_bytes

    def _loaded(self) -> list[Engine]:
        return [e for e in self._engines.values() if e.host]

    def _used_bytes(self) -> int:
        return sum(e.memory_bytes for e in self._loaded())

    def _victim(self, engine: Engine) -> Engine | None:
        """The least recently used of the idle; if all are busy, of those."""
        others = [e for e in self._loaded() if e is not engine and not e.spec.is_pinned]
        return min(
            others,
            key=lambda e: (e.host is not None and e.host.is_busy, e.last_used),
            default=None,
        )

    async def _retire(self, engine: Engine) -> None:
        """Unload it once its answers are complete; new requests for it wait for a new load."""
        await engine.hand_over()
        engine.is_leaving = True
        try:
            if engine.host:
                await engine.host.wait_idle()
                await self._stop(engine, 0)
        except asyncio.CancelledError:
            engine.is_leaving = False
            raise

    async def _stop(self, engine: Engine, drain_seconds: float) -> None:
        host = engine.host
        if host:
            await host.stop(drain_seconds)
            logger.info("model unloaded", extra={"model": engine.spec.id})
        engine.is_leaving = False

    # Watching

    def _exited(self, engine: Engine, host: EngineHost) -> None:
        """Called by the host when its process has ended, whatever the reason."""
        if engine.host is not host:
            return  # it never was ready: whoever loads it hears of it
        engine.host = None
        if host.is_stopping or time.monotonic() - host.started_at > HEALTHY_SECONDS:
            engine.crashes = 0
        if host.is_stopping or self._is_closed:
            return
        engine.note_failure(EngineRestarting("its process died"))
        if engine.spec.is_pinned:
            self._background(self._load_later(engine))

    async def _load_later(self, engine: Engine) -> None:
        while (wait := engine.retry_at - time.monotonic()) > 0:  # noqa: ASYNC110  may wake early
            await asyncio.sleep(wait)
        try:
            await self.load(engine.spec)
        except EngineError as error:
            logger.error("pinned model is not back: %s", error, extra={"model": engine.spec.id})

    async def _watch(self) -> None:
        """Unload what has been idle for too long."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for engine in self._loaded():
                if self._is_overdue(engine) and engine.host:
                    await self._stop(engine, 0)

    def _is_overdue(self, engine: Engine) -> bool:
        spec, host = engine.spec, engine.host
        if spec.is_pinned or not spec.idle_timeout or host is None or host.is_busy:
            return False
        return time.monotonic() - host.idle_since > spec.idle_timeout

    def _background(self, work: Any) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error and not isinstance(error, EngineError):  # those are for who waits
            logger.error("the pool failed", exc_info=error)


def _shutting_down() -> EngineStopped:
    return EngineStopped("The service is shutting down.", retry_after=5)


def _status(engine: Engine) -> EngineStatus | None:
    """None for a model that is just not loaded."""
    host, name = engine.host, engine.spec.id
    if host is not None:
        return EngineStatus(
            model_id=name,
            state="leaving" if engine.is_leaving or not host.is_open else "ready",
            load=host.load,
            memory_bytes=engine.memory_bytes,
            context_length=host.info.context_length,
            device=host.info.device,
            pid=host.pid,
            crashes=engine.crashes,
            has_chat_template=host.info.has_chat_template,
        )
    if engine.loading is not None:
        return EngineStatus(model_id=name, state="loading", progress=engine.progress)
    if engine.crashes:
        return EngineStatus(model_id=name, state="crashed", crashes=engine.crashes)
    return None
