"""An answer as it is heard in the process that writes it.

Others, and those elsewhere, follow their conversation over the channel layer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from inference.admission import Reply
from inference.runtime import Piece

HEARTBEAT_SECONDS = 15.0


class Admitted(NamedTuple):
    """The request is in the engine, with so many messages."""

    reply: Reply
    num_messages: int


class Listener:
    """Told of an answer by its writer. This one does not listen."""

    def admit(self, admitted: Admitted) -> None:
        """It is going to be computed."""

    def hear(self, text: str) -> None:
        """The next of what the model writes, its thoughts included."""

    def end(self, error: Exception | None = None) -> None:
        """It has ended, and its row says how; what is told after the first end is not heard."""


NOBODY = Listener()


class Hearing(Listener):
    """For a reader: first `admitted`, then iterate. The answer goes on when the reader leaves.

    `admitted` raises why the request was refused; it is None for an answer that was
    stopped while it waited.
    """

    def __init__(self) -> None:
        self.admitted: asyncio.Future[Admitted | None] = asyncio.get_running_loop().create_future()
        # Nobody may be left to hear of a refusal.
        self.admitted.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._heard: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self._is_over = False

    async def admission(self, take_back: Callable[[], Awaitable[None]]) -> Admitted | None:
        """As `admitted`. What was stored for a request that is refused is taken back; a reader
        who leaves meanwhile hears no more.
        """
        try:
            return await asyncio.shield(self.admitted)
        except asyncio.CancelledError:
            self.cancel()
            raise
        except Exception:
            await take_back()
            raise

    def admit(self, admitted: Admitted) -> None:
        if not self.admitted.done():
            self.admitted.set_result(admitted)

    def hear(self, text: str) -> None:
        if not self._is_over:
            self._heard.put_nowait(text)

    def end(self, error: Exception | None = None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._heard.put_nowait(error)
        if self.admitted.done():
            return
        if error:
            self.admitted.set_exception(error)
        else:
            self.admitted.set_result(None)

    def cancel(self) -> None:
        """Leave: nothing more is kept for this reader."""
        self._is_over = True

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """
        Raises:
            Exception: what the answer failed of.
        """
        while (heard := await self._next()) is not None:
            if isinstance(heard, Exception):
                raise heard
            yield Piece(heard, tokens=1 if heard else 0)

    async def _next(self) -> str | Exception | None:
        """Empty if there has been nothing for a while."""
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                return await self._heard.get()
        except TimeoutError:
            return ""
