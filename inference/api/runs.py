"""Answers under an idempotency key, while this process computes or fetches them."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Self

from channels.db import database_sync_to_async
from django.http import HttpResponse, HttpResponseBase
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from accounts import idempotency as rows
from accounts.errors import Refusal
from accounts.idempotency import KeyReused, RunningElsewhere
from accounts.models import IdempotentAnswer
from inference.runtime import EngineError

from .broadcast import Broadcast
from .refusals import IdempotencyAnswerTooLarge, IdempotencyKeyReused
from .sse import ErrorFrame, EventStream

logger = logging.getLogger(__name__)

MAX_BYTES = 8 * 2**20  # of an answer that is kept
EXPECTED = (APIException, EngineError, Refusal, KeyReused, RunningElsewhere)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under a key; `compute` makes its answer as if there were none.

    `error_frame` is how its dialect ends a stream that has failed. `allow` raises if its
    caller may not have the answer any more, that was computed before.
    """

    owner: str
    key: str
    fingerprint: str
    is_stream: bool
    error_frame: ErrorFrame
    compute: Callable[[], Awaitable[HttpResponseBase]]
    allow: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Head:
    """What comes before an answer's body; each request adds the headers of its own."""

    status: int
    headers: dict[str, str]
    is_stored: bool

    @classmethod
    def of(cls, response: HttpResponseBase) -> Self:
        headers = {k: v for k, v in response.items() if k != "Content-Type"}
        return cls(response.status_code, headers, is_stored=False)


class Run:
    """One answer on its way to everybody who asks for it.

    It goes on when they leave, and keeps what it has for those who come back.
    """

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.parts = Broadcast(MAX_BYTES)
        self.head: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        # Nobody may be left to hear of a failure.
        self.head.add_done_callback(lambda head: head.cancelled() or head.exception())

    def send(self, head: Head, part: bytes) -> None:
        if not self.head.done():
            self.head.set_result(head)
        self.parts.send(part)

    def fail(self, error: Exception) -> None:
        """As a status of its own. What a stream that has begun fails of, it tells itself."""
        if not self.head.done():
            self.head.set_exception(error)

    def end(self) -> None:
        self.head.cancel()
        self.parts.end()


_runs: dict[tuple[str, str], Run] = {}
_tasks: set[asyncio.Task[None]] = set()


def run_of(asked: Asked) -> tuple[Run, bool]:
    """The answer under way, and whether it began just now.

    Raises:
        IdempotencyKeyReused, IdempotencyAnswerTooLarge: there is one, but not for this request.
    """
    run = _runs.get((asked.owner, asked.key))
    if run is None:
        return _started(asked), True
    if run.fingerprint != asked.fingerprint:
        raise IdempotencyKeyReused(asked.key)
    if not run.parts.is_kept:
        raise IdempotencyAnswerTooLarge(asked.key)
    return run, False


def _started(asked: Asked) -> Run:
    run = _runs[asked.owner, asked.key] = Run(asked.fingerprint)
    task = asyncio.create_task(_work(asked, run))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return run


async def _work(asked: Asked, run: Run) -> None:
    try:
        row = await database_sync_to_async(rows.claim)(asked.owner, asked.key, asked.fingerprint)
        if row.status is None:
            await _compute(asked, run, row)
        else:
            _replay(asked, run, row)
    except Exception as error:
        if not isinstance(error, EXPECTED):
            logger.error("an answer under an idempotency key failed", exc_info=error)
        run.fail(IdempotencyKeyReused(asked.key) if isinstance(error, KeyReused) else error)
    finally:
        run.end()
        _leave(asked, run)


def _leave(asked: Asked, run: Run) -> None:
    """Whoever asks from now on goes by the row."""
    if _runs.get((asked.owner, asked.key)) is run:
        del _runs[asked.owner, asked.key]


def _replay(asked: Asked, run: Run, row: IdempotentAnswer) -> None:
    if row.body is None:
        raise IdempotencyAnswerTooLarge(asked.key)
    assert row.status is not None
    run.send(Head(row.status, row.headers, is_stored=True), bytes(row.body))


async def _compute(asked: Asked, run: Run, row: IdempotentAnswer) -> None:
    try:
        head, is_whole = await _relayed(asked, run)
    except Exception:
        await _forget(asked, run, row)
        raise
    if not is_whole:  # its readers have been told why
        await _forget(asked, run, row)
        return
    run.end()
    if not await database_sync_to_async(rows.keep)(
        row, head.status, head.headers, run.parts.body()
    ):
        logger.warning("an answer under an idempotency key was given up before it was complete")


async def _relayed(asked: Asked, run: Run) -> tuple[Head, bool]:
    """Compute, and send everything on, and whether that is the whole answer."""
    response = await asked.compute()
    head = Head.of(response)
    async with aclosing(parts_of(response)) as parts:
        async for part in parts:
            run.send(head, part)
    return head, not isinstance(response, EventStream) or response.is_whole


async def _forget(asked: Asked, run: Run, row: IdempotentAnswer) -> None:
    _leave(asked, run)  # first: readers who try again at once must not find this one
    await database_sync_to_async(rows.forget)(row)


async def parts_of(response: Any) -> AsyncGenerator[bytes]:
    """The body, in parts if it is a stream."""
    if isinstance(response, Response):
        yield JSONRenderer().render(response.data)
        return
    if isinstance(response, HttpResponse):
        yield response.content
        return
    assert isinstance(response, EventStream)
    async with aclosing(aiter(response)) as parts:
        async for part in parts:
            yield part
