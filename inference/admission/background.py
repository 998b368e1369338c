"""What goes on when no request waits for it: settling, and the upkeep of this process."""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import date, datetime
from itertools import cycle
from typing import Any, TypeVar

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from channels.db import database_sync_to_async
from django.db import DatabaseError, connection, connections
from django.utils import timezone

from accounts import accounting
from accounts.retention import tidy

T = TypeVar("T")

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 5.0
NUM_THREADS = 4  # each with a connection to the database, for all that goes on here

# What else is due as often as the lease: apps put their own here.
KEEPERS: list[Callable[[], Awaitable[None]]] = []

_threads = [ThreadSensitiveContext() for _ in range(NUM_THREADS)]
_next_thread = cycle(_threads)
_tasks: set[asyncio.Task[Any]] = set()
_keeper: asyncio.Task[None] | None = None


def in_background(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Start it, and see it to its end."""
    task = asyncio.create_task(work, context=_context())
    _tasks.add(task)
    task.add_done_callback(_done)
    return task


def _context() -> contextvars.Context:
    """Not a request's: its thread is for others once it is over."""
    context = contextvars.Context()
    context.run(SyncToAsync.thread_sensitive_context.set, next(_next_thread))
    return context


def _done(task: "asyncio.Task[Any]") -> None:
    _tasks.discard(task)
    if not task.cancelled():
        task.exception()  # whoever waits for it hears of it


def keep_lease() -> None:
    """From now on, what this process holds is its own as long as it lives."""
    global _keeper
    loop = asyncio.get_event_loop()  # a server calls this just before it runs
    if _keeper is None or _keeper.done() or _keeper.get_loop() is not loop:
        _keeper = loop.create_task(_keep(), context=_context())


async def _keep() -> None:
    await _on_every_thread(_open)
    tidied_on: date | None = None
    while True:  # at once: the server that ran here before may have died
        try:
            await database_sync_to_async(accounting.keep)()
            now = timezone.now()
            if now.date() != tidied_on:
                tidied_on = now.date()
                in_background(_tidy(now))
            for keep in KEEPERS:
                await keep()
        except Exception:  # the next time perhaps
            logger.exception("what is due in the background could not be done")
        await asyncio.sleep(accounting.RENEW_SECONDS)


async def _tidy(now: datetime) -> None:
    """On a thread of its own: it may take its time, and nobody waits for it."""
    try:
        await sync_to_async(_tidied, thread_sensitive=False)(now)
    except Exception:  # tomorrow, or by `manage.py tidy`
        logger.exception("what is old could not be deleted")


def _tidied(now: datetime) -> None:
    try:
        tidy(now)
    finally:
        connections.close_all()


async def close_connections() -> None:
    """Those of the threads that are used here."""
    await _on_every_thread(connections.close_all)


async def _on_every_thread(do: Callable[[], None]) -> None:
    for thread in _threads:
        token = SyncToAsync.thread_sensitive_context.set(thread)
        try:
            await sync_to_async(do)()
        finally:
            SyncToAsync.thread_sensitive_context.reset(token)


def _open() -> None:
    """A connection, before somebody waits for it; who needs it hears of its errors."""
    with contextlib.suppress(DatabaseError):
        connection.ensure_connection()


async def shutdown() -> None:
    """Let what has ended be written down, if it can be. After `runtime.shutdown`."""
    if _keeper is not None:
        _keeper.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SHUTDOWN_SECONDS):
            while _tasks:
                await asyncio.wait([*_tasks])
    await close_connections()
