"""Refusals and failures, as clients of responses expect them."""

from typing import Any

import msgspec
from rest_framework.response import Response

from inference.api.errors import handle

CONVERSATION = "messages"  # what the engine calls the input


class Failed(Exception):
    """The response has failed, and `frames` tell how: the last of its stream."""

    def __init__(self, frames: bytes) -> None:
        super().__init__("the response has failed")
        self.frames = frames


def handle_responses(error: Exception, context: dict[str, Any]) -> Response:
    """The same table of errors, with the request's own names."""
    response = handle(error, context)
    told = response.data["error"]
    if told["param"] == CONVERSATION:
        name, _, rest = told["message"].partition(":")
        message = f"input:{rest}" if name == CONVERSATION else told["message"]
        told |= {"param": "input", "message": message}
    return response


def frame(event: dict[str, Any]) -> bytes:
    """Named by its type, as this API's streams have it."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))


def error_frame(error: Exception) -> bytes:
    if isinstance(error, Failed):
        return error.frames
    told = handle_responses(error, {}).data["error"]
    names = ("code", "message", "param")
    return frame({"type": "error", **{name: told[name] for name in names}, "sequence_number": 0})
