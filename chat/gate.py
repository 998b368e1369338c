"""Few turns begin at a time: each costs as much as a hundred words that others wait for."""

import asyncio
from weakref import WeakKeyDictionary

AT_A_TIME = 3

_gates: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = WeakKeyDictionary()


def gate() -> asyncio.Semaphore:
    """The running loop's. For what takes milliseconds: nobody waits for others behind it."""
    return _gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_A_TIME))
