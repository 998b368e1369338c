"""Whose file is read: few at once, and of a person one at a time.

So nobody's pile of files keeps those of others waiting, or answers.
"""

from asyncio import Semaphore
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Queue:
    """For one kind of work."""

    def __init__(self, num_at_once: int) -> None:
        self.num_at_once = num_at_once
        # Each is there while somebody waits for it, so none is of an event loop that has ended.
        self._places: WeakValueDictionary[int | None, Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, person: int) -> AsyncIterator[None]:
        """Wait for it, and have it."""
        own = self._places.setdefault(person, Semaphore())
        shared = self._places.setdefault(None, Semaphore(self.num_at_once))
        async with own, shared:
            yield
