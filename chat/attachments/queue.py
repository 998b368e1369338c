"""Who reads files: few threads, and of a person one file at a time.

So neither the event loop nor the threads of pages wait for a large PDF, and nobody's
pile of files keeps those of others waiting.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")

NUM_READERS = 2

_readers = ThreadPoolExecutor(NUM_READERS, thread_name_prefix="attachments")
_turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()


async def in_turn(person: int, work: Callable[[], T]) -> T:
    """What `work` returns, when it is that person's turn."""
    turn = _turns.setdefault(person, asyncio.Lock())
    async with turn:
        return await asyncio.get_running_loop().run_in_executor(_readers, work)
