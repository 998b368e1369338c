"""What goes on when no request waits for it: settling, and the upkeep of this process."""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Coroutine
from datetime import date
from typing import Any, TypeVar

from channels.db import database_sync_to_async
from django.utils import timezone

from accounts import accounting
from accounts.retention import tidy

T = TypeVar("T")

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 5.0

_tasks: set[asyncio.Task[Any]] = set()
_keeper: asyncio.Task[None] | None = None


def in_background(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Start it, and see it to its end."""
    # Not in a request's context: its thread is for others once it is over.
    task = asyncio.create_task(work, context=contextvars.Context())
    _tasks.add(task)
    task.add_done_callback(_done)
    return task


def _done(task: "asyncio.Task[Any]") -> None:
    _tasks.discard(task)
    if not task.cancelled():
        task.exception()  # whoever waits for it hears of it


def keep_lease() -> None:
    """From now on, what this process holds is its own as long as it lives."""
    global _keeper
    loop = asyncio.get_event_loop()  # a server calls this just before it runs
    if _keeper is None or _keeper.done() or _keeper.get_loop() is not loop:
        _keeper = loop.create_task(_keep(), context=contextvars.Context())


async def _keep() -> None:
    tidied_on: date | None = None
    while True:  # at once: the server that ran here before may have died
        try:
            await database_sync_to_async(accounting.keep)()
            now = timezone.now()
            if now.date() != tidied_on:
                await database_sync_to_async(tidy)(now)
                tidied_on = now.date()
        except Exception:  # the next time perhaps
            logger.exception("what is due in the background could not be done")
        await asyncio.sleep(accounting.RENEW_SECONDS)


async def shutdown() -> None:
    """Let what has ended be written down, if it can be. After `runtime.shutdown`."""
    if _keeper is not None:
        _keeper.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SHUTDOWN_SECONDS):
            while _tasks:
                await asyncio.wait([*_tasks])
