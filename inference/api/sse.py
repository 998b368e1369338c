"""Server-sent events, as OpenAI's clients read them."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from django.http import StreamingHttpResponse
from rest_framework.renderers import JSONRenderer

DONE = b"data: [DONE]\n\n"
KEEPALIVE = b": keepalive\n\n"


class EventStreamRenderer(JSONRenderer):
    """Lets DRF accept `Accept: text/event-stream`; otherwise it answers 406.

    Only errors are rendered through it, and those are JSON.
    """

    media_type = "text/event-stream"
    format = "sse"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Any = None,
    ) -> Any:
        renderer_context["response"]["Content-Type"] = "application/json"
        return super().render(data, "application/json", {})


def frame(payload: Any) -> bytes:
    return b"data: " + msgspec.json.encode(payload) + b"\n\n"


def event_stream(frames: AsyncIterator[bytes]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(frames, content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"  # nginx would hold the stream back
    return response
