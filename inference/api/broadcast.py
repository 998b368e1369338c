"""One answer's parts, for any number of readers, each from the beginning."""

import asyncio
from collections.abc import AsyncGenerator, Iterator


class _Part:
    """A link of the chain. Readers hold theirs, so what all have passed is freed."""

    __slots__ = ("data", "next")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.next: _Part | None = None


class Broadcast:
    """Sending never waits. Beyond `max_bytes` nothing is kept for readers to come."""

    def __init__(self, max_bytes: int) -> None:
        self._last = _Part(b"")
        self._start: _Part | None = self._last
        self._room = max_bytes
        self.is_over = False
        self._changed = asyncio.Event()

    @property
    def is_kept(self) -> bool:
        """Whether there is still a beginning to read from."""
        return self._start is not None

    def send(self, data: bytes) -> None:
        part = _Part(data)
        self._last.next, self._last = part, part
        self._room -= len(data)
        if self._room < 0:
            self._start = None
        self._wake()

    def end(self) -> None:
        self.is_over = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def reader(self) -> AsyncGenerator[bytes]:
        """All parts: those there are, then those to come. To be asked for while `is_kept`."""
        assert self._start is not None
        return self._read(self._start)

    async def _read(self, part: _Part) -> AsyncGenerator[bytes]:
        while True:
            while part.next is None:
                if self.is_over:
                    return
                await self._changed.wait()
            part = part.next
            yield part.data

    def body(self) -> bytes | None:
        """All parts so far as one, if they are kept."""
        return b"".join(self._parts(self._start)) if self._start else None

    @staticmethod
    def _parts(part: _Part | None) -> Iterator[bytes]:
        while part:
            yield part.data
            part = part.next
