"""Server-sent events, as OpenAI's clients read them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec
from django.http import StreamingHttpResponse

DONE = b"data: [DONE]\n\n"
KEEPALIVE = b": keepalive\n\n"
HEADERS_ONLY = b""  # servers send the headers with the first part, be it empty


def frame(payload: Any) -> bytes:
    return b"data: " + msgspec.json.encode(payload) + b"\n\n"


class EventStream(StreamingHttpResponse):
    """Ends its frames when the server stops reading, wherever it was then.

    Django itself only leaves them to the garbage collector unless it was waiting for one.
    """

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        super().__init__(frames, content_type="text/event-stream")
        self["Cache-Control"] = "no-cache"
        self["X-Accel-Buffering"] = "no"  # nginx would hold the stream back
        self._frames = frames

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        async with aclosing(self._frames):
            async for part in super().__aiter__():
                yield part
