"""Carries vectors from an engine's host to one consumer."""

from collections.abc import Callable

from .errors import EngineError
from .stream import Mailbox
from .wire import Accepted, Finish


class VectorBox(Mailbox):
    """The vectors of one request's inputs, in their order, as far as they have come."""

    def __init__(self, on_end: Callable[[Finish | EngineError], None] | None = None) -> None:
        super().__init__(on_end)
        self.vectors: list[bytes] = []

    def put_vectors(self, vectors: list[bytes]) -> None:
        self.vectors += vectors


class Vectors:
    """Vectors under way: to be read, or cancelled."""

    def __init__(self, box: VectorBox, accepted: Accepted, cancel: Callable[[], None]) -> None:
        self.prompt_tokens = accepted.prompt_tokens
        self._box = box
        self._cancel = cancel

    async def read(self) -> list[bytes]:
        """One for each input, in float32, the least significant byte first.

        Whoever leaves cancels the request.

        Raises:
            EngineError: it failed.
        """
        try:
            while await self._box.take() is not None:
                pass  # a heartbeat
        finally:
            self.cancel()
        return self._box.vectors

    def cancel(self) -> None:
        if self._box.outcome is None:
            self._cancel()
