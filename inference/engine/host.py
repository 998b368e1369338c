"""One engine process, seen from the web process."""

import asyncio
import contextvars
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from .config import EngineConfig, EngineInfo, Setup
from .counts import Counts
from .embedding import EmbedRequest
from .environment import without_secrets
from .errors import (
    EngineError,
    EngineRestarting,
    EngineStopped,
    ModelLoadFailed,
)
from .frame import frame_of
from .request import Request
from .stats import Load
from .stream import Admit, Mailbox, Outcome, TokenStream
from .vectors import VectorBox, Vectors
from .wire import (
    HEADER,
    Accepted,
    Cancel,
    Count,
    Counted,
    Embed,
    Embedded,
    Failure,
    FromEngine,
    Go,
    Loading,
    LogLine,
    Message,
    Part,
    Question,
    Ready,
    Start,
    Step,
    Stop,
    Submit,
    Tokenized,
    Written,
    decode_from_engine,
    encode,
)

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]  # where `inference` can be imported from
STOP_SECONDS = 10.0  # for an engine to free its model before it is killed

_ids = count(1)


async def start_process(end: socket.socket) -> asyncio.subprocess.Process:
    """An engine's, which holds that end of a socket."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inference.engine.child", str(end.fileno())),
        pass_fds=[end.fileno()],
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env=without_secrets(os.environ),
    )


class EngineHost:
    """Starts the process, speaks with it, and notices its death.

    All on one event loop. `is_open` turns false once and for all when the process
    is told to stop or is gone.
    """

    def __init__(
        self,
        config: EngineConfig,
        on_exit: Callable[["EngineHost"], None] = lambda host: None,
        on_progress: Callable[[float], None] = lambda progress: None,
    ) -> None:
        self.config = config
        self.load = Load()
        self.is_open = False
        self.has_answered = False
        self.idle_since = time.monotonic()
        self.started_at = time.monotonic()
        self._on_exit = on_exit
        self._on_progress = on_progress
        self._mailboxes: dict[int, Mailbox] = {}
        self._counts = Counts()
        self._heard_at = time.monotonic()
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self.is_stopping = False
        self._ready: asyncio.Future[EngineInfo] = asyncio.get_running_loop().create_future()

    @property
    def info(self) -> EngineInfo:
        return self._ready.result()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_busy(self) -> bool:
        return bool(self._mailboxes)

    @property
    def silent_seconds(self) -> float:
        """How long the engine has sent nothing though it has work."""
        return time.monotonic() - self._heard_at if self.is_busy else 0.0

    async def start(self, time_limit: float) -> None:
        """Start the process and wait until its model is loaded.

        Raises:
            EngineError: it was not loaded within `time_limit` seconds, or not at all.
        """
        try:
            await self._spawn()
        except OSError as error:
            raise ModelLoadFailed(f"{self.config.model_id}: no process: {error}") from error
        try:
            async with asyncio.timeout(time_limit):
                await asyncio.shield(self._ready)
            if not self.is_open:
                raise ModelLoadFailed(f"{self.config.model_id}: its engine died at once.")
        except TimeoutError:
            await self.kill()
            raise ModelLoadFailed(
                f"{self.config.model_id} did not load within {time_limit:g} s."
            ) from None
        except (EngineError, asyncio.CancelledError):
            await self.kill()
            raise

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._reader, self._writer = await asyncio.open_connection(sock=ours)
            try:
                self._process = await start_process(theirs)
            except (OSError, asyncio.CancelledError):
                self._writer.close()
                raise
        self._send(Start(self.config, logger.getEffectiveLevel()))
        # Not in the context of the request that starts the engine: others follow.
        self._reading = asyncio.create_task(self._read(), context=contextvars.Context())

    # Requests

    async def submit(
        self,
        on_end: Callable[[Outcome], None] | None = None,
        on_gap: Callable[[float], None] | None = None,
        admit: Admit | None = None,
        **fields: Any,
    ) -> TokenStream:
        """Queue a request of those fields (see `Request`).

        `on_end` hears the outcome of a request that was accepted, exactly once, and
        `on_gap` the seconds between any two steps that brought it something. With
        `admit` the request keeps its place in the queue, and is not computed before
        that has granted it tokens.

        Raises:
            EngineError: every refusal, before anything is computed; and what `admit` raises.
        """
        request = Request(id=next(_ids), is_held=admit is not None, **fields)
        mailbox = Mailbox(on_end, on_gap)
        accepted = await self._accepted(Submit(request), request.prompt_param, mailbox, admit)
        return TokenStream(
            *(mailbox, accepted, self.info.context_length, lambda: self._cancel(request.id)),
            Setup(self.config, self.info),
        )

    async def embed(
        self,
        on_end: Callable[[Outcome], None] | None = None,
        admit: Admit | None = None,
        **fields: Any,
    ) -> Vectors:
        """Queue a request for vectors, of those fields (see `EmbedRequest`); else as `submit`.

        Raises:
            EngineError: every refusal, before anything is computed; and what `admit` raises.
        """
        request = EmbedRequest(id=next(_ids), is_held=admit is not None, **fields)
        box = VectorBox(on_end)
        accepted = await self._accepted(Embed(request), request.param, box, admit)
        return Vectors(box, accepted, lambda: self._cancel(request.id))

    async def _accepted(
        self, message: Submit | Embed, param: str, mailbox: Mailbox, admit: Admit | None
    ) -> Accepted:
        if not self.is_open:
            raise EngineStopped(f"{self.config.model_id} is being unloaded.")
        id, frame = message.request.id, frame_of(message, param)
        if not self.is_busy:
            self._heard_at = time.monotonic()
        self._mailboxes[id] = mailbox
        self._is_idle.clear()
        self._writer.write(frame)
        try:
            accepted = await mailbox.accepted
        except asyncio.CancelledError:
            self._cancel(id)
            raise
        if admit:
            await self._admit(admit, accepted, mailbox)
        return accepted

    async def _admit(self, admit: Admit, accepted: Accepted, mailbox: Mailbox) -> None:
        try:
            granted = await admit(accepted.prompt_tokens, accepted.max_tokens)
        except BaseException:
            mailbox.forget_observer()
            self._cancel(accepted.id)
            raise
        self._send(Go(accepted.id, granted))

    def _cancel(self, id: int) -> None:
        if id in self._mailboxes:
            self._send(Cancel(id))

    def _close(self, id: int, outcome: Outcome) -> None:
        mailbox = self._mailboxes.pop(id, None)
        if mailbox:
            mailbox.close(outcome)
        if not self._mailboxes:
            self.idle_since = time.monotonic()
            self._is_idle.set()

    async def count(self, **fields: Any) -> list[int]:
        """How many tokens texts or messages have; the fields are those of `Count`.

        Nobody is busy for that: the engine may be stopped meanwhile.

        Raises:
            EngineError: they cannot be counted, or not any more.
        """
        counted: Counted = await self.ask(Count, **fields)
        return counted.tokens

    async def ask(self, kind: type[Question], **fields: Any) -> Any:
        """What the engine tells, to a question of that kind and those fields; else as `count`."""
        if not self.is_open:
            raise EngineStopped(f"{self.config.model_id} is being unloaded.")
        asked = kind(next(_ids), **fields)
        frame = frame_of(asked, next(iter(fields)))
        with self._counts.waiting(asked.id) as told:
            self._writer.write(frame)
            return await told

    # The end

    async def wait_idle(self) -> None:
        await self._is_idle.wait()

    async def stop(self, drain_seconds: float = 0) -> None:
        """Take no more requests, let the running ones end, and free the memory."""
        self.is_open = False
        if drain_seconds and self.is_busy:
            try:
                await asyncio.wait_for(self.wait_idle(), drain_seconds)
            except TimeoutError:
                logger.warning(
                    "%s: %d requests cut off",
                    self.config.model_id,
                    len(self._mailboxes),
                )
        self.is_stopping = True
        self._send(Stop())
        try:
            await asyncio.wait_for(asyncio.shield(self._reading), STOP_SECONDS)
        except TimeoutError:
            await self.kill()

    def abort(self) -> None:
        """End a process that does not answer; for everybody who waits it has crashed."""
        self.is_open = False
        if self._process.returncode is None:
            self._process.kill()

    async def kill(self) -> None:
        self.is_stopping = True
        if self._process.returncode is None:
            self._process.kill()
        await self._reading

    # What the process sends

    def _send(self, message: Message) -> None:
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def _read(self) -> None:
        try:
            while True:
                header = await self._reader.readexactly(HEADER.size)
                body = await self._reader.readexactly(HEADER.unpack(header)[0])
                self._dispatch(decode_from_engine(body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception:
            logger.exception("cannot read what the engine sends")
        finally:
            self.is_open = False
            self._writer.close()
            await self._end()

    async def _end(self) -> None:
        """Tell everyone who waits; nobody gets an answer any more."""
        status = await self._process.wait()
        if not self._ready.done():
            why = f"{self._death(status)} It was loading the model."
            self._ready.set_exception(ModelLoadFailed(why))
            self._ready.exception()  # whoever started it may have given up
        for id in list(self._mailboxes):
            self._close(id, self._death(status))
        self._counts.fail_all(lambda: self._death(status))
        if not self.is_stopping:
            logger.error("engine died", extra={"model": self.config.model_id, "status": status})
        self._on_exit(self)

    def _death(self, status: int) -> EngineError:
        name = self.config.model_id
        if self.is_stopping:
            return EngineStopped(f"{name} was unloaded before the answer was complete.")
        how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        return EngineRestarting(f"The engine of {name} died ({how}).", retry_after=1)

    def _dispatch(self, message: FromEngine) -> None:
        self._heard_at = time.monotonic()
        match message:
            case Step():
                self._deliver(message)
            case Embedded(parts):
                self._hand_out(parts)
            case Accepted(id):
                if mailbox := self._mailboxes.get(id):
                    mailbox.accept(message)
            case Failure(id=0):
                self._ready.set_exception(message.error())
            case Failure(id) if id in self._counts:
                self._counts.fail(id, message.error())
            case Failure(id):
                self._close(id, message.error())
            case Counted(id) | Tokenized(id) | Written(id):
                self._counts.answer(id, message)
            case Loading(progress):
                self._on_progress(progress)
            case Ready(info):
                self.is_open = True
                self.idle_since = time.monotonic()
                self._ready.set_result(info)
            case LogLine(level, name, event, request_id):
                extra = {"model": self.config.model_id}
                if request_id:
                    extra["request_id"] = request_id
                logging.getLogger(name).log(level, "%s", event, extra=extra)

    def _hand_out(self, parts: list[Part]) -> None:
        for part in parts:
            box = self._mailboxes.get(part.id)
            if isinstance(box, VectorBox):
                box.put_vectors(part.vectors)

    def _deliver(self, step: Step) -> None:
        self.load = step.load or self.load
        now = time.monotonic()
        for delta in step.deltas:
            if mailbox := self._mailboxes.get(delta.id):
                told = (delta.logprobs, delta.so_far, delta.scores)
                mailbox.put(delta.text, delta.tokens, now, *told)
        for id, progress in (step.progress or {}).items():
            if mailbox := self._mailboxes.get(id):
                mailbox.put_progress(progress)
        self.has_answered = self.has_answered or bool(step.finished)
        for finish in step.finished:
            self._close(finish.id, finish)
