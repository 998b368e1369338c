"""Whose file is read: few at once, and of a person one at a time.

So nobody's pile of files keeps those of others waiting, or answers.
"""

from asyncio import Semaphore
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

NUM_READERS = 2

# Each is there as long as somebody waits for it, so none is of an event loop that has ended.
_places: WeakValueDictionary[int | None, Semaphore] = WeakValueDictionary()


@asynccontextmanager
async def turn(person: int) -> AsyncIterator[None]:
    """Wait for it, and have it."""
    own = _places.setdefault(person, Semaphore())
    shared = _places.setdefault(None, Semaphore(NUM_READERS))
    async with own, shared:
        yield
