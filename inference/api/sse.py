"""Server-sent events, as OpenAI's clients read them."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from django.http import StreamingHttpResponse

from .errors import handle

DONE = b"data: [DONE]\n\n"
KEEPALIVE = b": keepalive\n\n"
HEADERS_ONLY = b""  # servers send the headers with the first part, be it empty


def frame(payload: Any) -> bytes:
    return b"data: " + msgspec.json.encode(payload) + b"\n\n"


ErrorFrame = Callable[[Exception], bytes]


def error_frame(error: Exception) -> bytes:
    return frame(handle(error, {}).data)


class Frames:
    """With what they raise as the last one, in their dialect; whole once they have ended."""

    def __init__(self, frames: AsyncGenerator[bytes], error_frame: ErrorFrame) -> None:
        self._frames = frames
        self._error_frame = error_frame
        self.is_whole = False

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        try:
            async with aclosing(self._frames):
                async for part in self._frames:
                    yield part
        except Exception as error:
            # The status line has gone out already: the error travels as an event.
            yield self._error_frame(error)
        else:
            self.is_whole = True


class EventStream(StreamingHttpResponse):
    """Ends its frames when the server stops reading, wherever it was then.

    Django itself only leaves them to the garbage collector unless it was waiting for one.
    """

    def __init__(
        self, frames: AsyncGenerator[bytes], error_frame: ErrorFrame = error_frame
    ) -> None:
        # Not by a method of ours: a cycle would keep a stream that nobody reads.
        self._frames = Frames(frames, error_frame)
        self._parts = aiter(self._frames)
        super().__init__(self._parts, content_type="text/event-stream")
        self["Cache-Control"] = "no-cache"
        self["X-Accel-Buffering"] = "no"  # nginx would hold the stream back

    @property
    def is_whole(self) -> bool:
        """Whether it has been read to its end, and that was no error."""
        return self._frames.is_whole

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        async with aclosing(self._parts):
            async for part in super().__aiter__():
                yield part
