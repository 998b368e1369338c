"""All engines of one web process: who is loaded, who has to go, who comes back."""

import asyncio
import contextvars
import logging
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from .errors import (
    BackendUnusable,
    EngineError,
    EngineRestarting,
    EngineStopped,
    ModelLoadFailed,
    OutOfMemory,
    QueueFull,
)
from .host import EngineHost
from .managed import LONGEST_BACKOFF_SECONDS, EngineStatus, ManagedModel, ModelSpec
from .stream import Admit, Outcome, TokenStream
from .vectors import Vectors
from .wire import Count, Counted, Question

logger = logging.getLogger(__name__)

HEALTHY_SECONDS = 60.0  # a process that lived so long starts counting its crashes anew
WATCH_SECONDS = 1.0
LOAD_RETRY_SECONDS = 10.0  # a guess


@dataclass(frozen=True, slots=True)
class PoolLimits:
    max_models: int  # 0: as many as fit
    memory_bytes: int
    load_timeout: float = 600.0  # seconds, for making room and loading each
    drain_seconds: float = 10.0
    step_timeout: float = 0.0  # seconds a busy engine may be silent; 0: for ever


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
        self._models: dict[str, ManagedModel] = {}
        self._loading_one = asyncio.Lock()
        self._is_closed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._background(self._watch())

    async def submit(
        self,
        spec: ModelSpec,
        on_end: Callable[[Outcome], None] | None = None,
        on_gap: Callable[[float], None] | None = None,
        admit: Admit | None = None,
        **fields: Any,
    ) -> TokenStream:
        """Queue a request (see `EngineHost.submit`), loading the model if need be.

        Raises:
            EngineError: every refusal, before anything is computed.
        """
        host = await self._taken(spec)
        return await host.submit(on_end, on_gap, admit, **fields)

    async def embed(
        self,
        spec: ModelSpec,
        on_end: Callable[[Outcome], None] | None = None,
        admit: Admit | None = None,
        **fields: Any,
    ) -> Vectors:
        """Queue a request for vectors (see `EngineHost.embed`); else as `submit`."""
        host = await self._taken(spec)
        return await host.embed(on_end, admit, **fields)

    async def _taken(self, spec: ModelSpec) -> EngineHost:
        """The model's engine, for a request."""
        while True:
            host = await self.load(spec)
            if host.is_open:  # it may have been unloaded just now
                self._models[spec.id].last_used = time.monotonic()
                return host

    async def count(self, spec: ModelSpec, *, load: bool, **fields: Any) -> list[int] | None:
        """How many tokens something has (see `EngineHost.count`).

        None if the model is not in memory and must not be loaded for it.

        Raises:
            EngineError: it cannot be counted, or the model not be loaded.
        """
        model = self._models.get(spec.id)
        if not load and (model is None or not model.is_serving(spec)):
            return None
        counted: Counted = await self.ask(spec, Count, **fields)
        return counted.tokens

    async def ask(self, spec: ModelSpec, kind: type[Question], **fields: Any) -> Any:
        """What the model's engine tells (see `EngineHost.ask`), loaded if need be.

        Raises:
            EngineError: it cannot tell, or the model not be loaded.
        """
        while True:
            host = await self.load(spec)
            if host.is_open:  # as in `_taken`
                return await host.ask(kind, **fields)

    async def load(self, spec: ModelSpec) -> EngineHost:
        """The model's engine; all who ask while it loads wait for the same load.

        Raises:
            EngineError: it cannot be loaded, or too many wait for it already.
        """
        if self._is_closed:
            raise _shutting_down()
        model = self._models.setdefault(spec.id, ManagedModel(spec))
        if model.is_serving(spec):
            assert model.host is not None
            model.spec = spec  # it may be pinned now, or not any more
            return model.host
        if model.loading is None:
            self._refuse_while_backing_off(model, spec)
            model.progress = 0.0
            model.loading = self._background(self._load(model, spec))
        if model.num_loading_for >= spec.config.max_waiting + spec.config.max_sequences:
            raise QueueFull(
                f"{model.num_loading_for} requests wait for {spec.id} to load already.",
                retry_after=LOAD_RETRY_SECONDS,
            )
        model.num_loading_for += 1
        try:
            return await asyncio.shield(model.loading)
        finally:
            model.num_loading_for -= 1

    async def unload(self, model_id: str) -> bool:
        """Free the model's memory once its answers are complete; False if it has none.

        It is not pinned any more until somebody asks for it.
        """
        model = self._models.get(model_id)
        if model is None:
            return False
        model.spec = replace(model.spec, is_pinned=False)
        if model.loading:
            await asyncio.wait([model.loading])
        if model.host is None:
            return False
        await self._retire(model)
        return True

    def update(self, spec: ModelSpec) -> None:
        """Heed a change of what needs no other engine: pinned, idle timeout."""
        model = self._models.get(spec.id)
        if model:
            model.spec = replace(
                model.spec, is_pinned=spec.is_pinned, idle_timeout=spec.idle_timeout
            )

    async def close(self) -> None:
        """Refuse new requests, drain the running ones, and leave no process behind."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        hosts = [e.host for e in self._models.values() if e.host]
        await asyncio.gather(*(h.stop(self.limits.drain_seconds) for h in hosts))

    def status(self) -> list[EngineStatus]:
        """Every model that is loaded, loading or crashed."""
        models = list(self._models.values())  # may be asked on another thread
        return [s for s in (m.status() for m in models) if s]

    # Loading

    def _refuse_while_backing_off(self, model: ManagedModel, spec: ModelSpec) -> None:
        if model.spec.config != spec.config:  # perhaps mended
            model.crashes, model.retry_at = 0, 0.0
        wait = model.retry_at - time.monotonic()
        if wait > 0:
            raise EngineRestarting(
                f"The engine of {spec.id} failed {model.crashes} times in a row and is tried"
                f" again in {math.ceil(wait)} s. The last failure: {model.last_error}",
                retry_after=max(1.0, wait),
            )

    async def _load(self, model: ManagedModel, spec: ModelSpec) -> EngineHost:
        try:
            if model.host and model.spec.config != spec.config:
                model.is_leaving = True
                await model.host.wait_idle()  # while others load
            async with self._loading_one:
                if model.host and model.is_serving(spec):
                    return model.host  # it was to leave, and has stayed
                await self._retire(model)
                model.become(spec)
                model.is_leaving = False
                async with self._limited(model):
                    await self._make_room(model)
                return await self._start(model)
        except (ModelLoadFailed, BackendUnusable) as error:
            if not isinstance(error, OutOfMemory):
                model.note_failure(error)
            raise
        except asyncio.CancelledError:  # by `close`: those who wait were not cancelled
            raise _shutting_down() from None
        finally:
            model.loading = None

    async def _start(self, model: ManagedModel) -> EngineHost:
        while True:
            budget = self.limits.memory_bytes - self._used_bytes()
            config = msgspec.structs.replace(model.spec.config, memory_limit=max(0, budget))
            host = self._make_host(
                config,
                on_exit=lambda host: self._exited(model, host),
                on_progress=lambda progress: setattr(model, "progress", progress),
            )
            try:
                await host.start(self.limits.load_timeout)
            except OutOfMemory:
                # The device had less than the plan said: make room the hard way.
                victim = self._victim(model)
                if victim is None:
                    raise
                async with self._limited(model):
                    await self._retire(victim)
                continue
            model.host, model.memory_bytes = host, host.info.memory_bytes
            model.last_used = time.monotonic()
            extra = {"pid": host.pid, "build": host.info.build, "seconds": host.info.load_seconds}
            logger.info("model loaded", extra={"model": model.spec.id, **extra})
            return host

    @asynccontextmanager
    async def _limited(self, model: ManagedModel) -> AsyncIterator[None]:
        """Others are waited for so long."""
        try:
            async with asyncio.timeout(self.limits.load_timeout):
                yield
        except TimeoutError:
            raise OutOfMemory(
                f"There is no room for {model.spec.id}: the models in memory are busy.",
                retry_after=30,
            ) from None

    async def _make_room(self, model: ManagedModel) -> None:
        while not self._fits(model):
            victim = self._victim(model)
            if victim is not None:
                await self._retire(victim)
            elif self._loaded():
                raise OutOfMemory(
                    f"There is no room for {model.spec.id}: what is in memory is pinned.",
                    retry_after=30,
                )
            else:
                raise OutOfMemory(
                    f"{model.spec.id} needs about {model.needed_bytes >> 20} MiB,"
                    f" and the limit is {self.limits.memory_bytes >> 20} MiB."
                )

    def _fits(self, model: ManagedModel) -> bool:
        has_place = not self.limits.max_models or len(self._loaded()) < self.limits.max_models
        return has_place and self._used_bytes() + model.needed_bytes <= self.limits.memory_bytes

    def _loaded(self) -> list[ManagedModel]:
        return [e for e in self._models.values() if e.host]

    def _used_bytes(self) -> int:
        return sum(e.memory_bytes for e in self._loaded())

    def _victim(self, model: ManagedModel) -> ManagedModel | None:
        """The least recently used of the idle; if all are busy, of those."""
        others = [e for e in self._loaded() if e is not model and not e.spec.is_pinned]
        return min(
            others,
            key=lambda e: (e.host is not None and e.host.is_busy, e.last_used),
            default=None,
        )

    async def _retire(self, model: ManagedModel) -> None:
        """Unload it once its answers are complete; new requests for it wait for a new load."""
        await model.hand_over()
        model.is_leaving = True
        try:
            if model.host:
                await model.host.wait_idle()
                await self._stop(model, 0)
        except asyncio.CancelledError:
            model.is_leaving = False
            raise

    async def _stop(self, model: ManagedModel, drain_seconds: float) -> None:
        host = model.host
        if host:
            await host.stop(drain_seconds)
            logger.info("model unloaded", extra={"model": model.spec.id})
        model.is_leaving = False

    # Watching

    def _exited(self, model: ManagedModel, host: EngineHost) -> None:
        """Called by the host when its process has ended, whatever the reason."""
        if model.host is not host:
            return  # it never was ready: whoever loads it hears of it
        model.host = None
        lived = time.monotonic() - host.started_at
        if host.is_stopping or host.has_answered or lived > HEALTHY_SECONDS:
            model.crashes = 0
        if host.is_stopping or self._is_closed:
            return
        model.note_failure(EngineRestarting("its process died"))
        if model.spec.is_pinned:
            self._background(self._bring_back(model))

    async def _bring_back(self, model: ManagedModel) -> None:
        """A pinned model, however many tries it takes."""
        while model.spec.is_pinned and model.host is None:
            while (wait := model.retry_at - time.monotonic()) > 0:  # noqa: ASYNC110  may wake early
                await asyncio.sleep(wait)
            try:
                await self.load(model.spec)
            except EngineError as error:
                logger.error("pinned model is not back: %s", error, extra={"model": model.spec.id})
                if model.retry_at <= time.monotonic():  # no fault of its own: there is no room
                    await asyncio.sleep(LONGEST_BACKOFF_SECONDS)

    async def _watch(self) -> None:
        """Unload what has been idle for too long, and end what does not answer."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for model in self._loaded():
                self._abort_if_hung(model)
                if self._is_overdue(model) and model.host:
                    await self._stop(model, 0)

    def _abort_if_hung(self, model: ManagedModel) -> None:
        host, limit = model.host, self.limits.step_timeout
        if host and host.is_open and limit and host.silent_seconds > limit:
            logger.error(
                "engine does not answer and is killed",
                extra={"model": model.spec.id, "seconds": round(host.silent_seconds)},
            )
            host.abort()

    def _is_overdue(self, model: ManagedModel) -> bool:
        spec, host = model.spec, model.host
        if spec.is_pinned or not spec.idle_timeout or host is None or host.is_busy:
            return False
        return time.monotonic() - host.idle_since > spec.idle_timeout

    def _background(self, work: Any) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work, context=contextvars.Context())
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
