"""Every refusal, in the shape that Anthropic's clients expect."""

from typing import Any

import msgspec
from rest_framework.response import Response

from inference.api.errors import handle, message_of

KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
}


def handle_anthropic(error: Exception, context: dict[str, Any]) -> Response:
    """The same table of errors, in that dialect's envelope."""
    response = handle(error, context)
    kind = KINDS.get(response.status_code, "invalid_request_error")
    told = {"type": kind, "message": message_of(response.data)}
    response.data = {"type": "error", "error": told}
    return response


def event(payload: dict[str, Any]) -> bytes:
    """Named by its type, as this dialect's streams have it."""
    return b"event: %b\ndata: %b\n\n" % (payload["type"].encode(), msgspec.json.encode(payload))


def error_event(error: Exception) -> bytes:
    return event(handle_anthropic(error, {}).data)
