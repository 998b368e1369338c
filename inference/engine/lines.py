"""A queue in which everybody has a line of their own."""

import queue
import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Lines(Generic[T]):
    """What is put in comes out as it came, of one owner; the owners take turns. For any thread."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[T]] = {}  # the next one's first
        self._lock = threading.Lock()
        self._tickets: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each thing

    def put(self, owner: str, thing: T) -> None:
        with self._lock:
            self._lines.setdefault(owner, deque()).append(thing)
        self._tickets.put(None)

    def get(self) -> T:
        """Wait for something."""
        self._tickets.get()
        with self._lock:
            owner, line = next(iter(self._lines.items()))
            thing = line.popleft()
            del self._lines[owner]
            if line:
                self._lines[owner] = line  # behind the others
            return thing
