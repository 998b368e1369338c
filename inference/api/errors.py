"""Every refusal, in the shape OpenAI's clients expect."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from inference.runtime import EngineError

from .refusals import ApiError

logger = logging.getLogger(__name__)

INVALID = "invalid_request_error"
SERVER = "server_error"

# Engine's code: HTTP status, the envelope's type, and its code.
ENGINE_ERRORS: dict[str, tuple[int, str, str]] = {
    "invalid_request_error": (400, INVALID, "invalid_request_error"),
    "template_error": (400, INVALID, "invalid_request_error"),
    "context_length_exceeded": (400, INVALID, "context_length_exceeded"),
    "model_not_found": (404, INVALID, "model_not_found"),
    "queue_full": (429, "rate_limit_error", "rate_limit_exceeded"),
    "overloaded": (503, SERVER, "overloaded"),
    "model_load_failed": (503, SERVER, "model_load_failed"),
    "engine_unusable": (503, SERVER, "engine_unusable"),
    "engine_restarting": (503, SERVER, "engine_restarting"),
    "engine_stopped": (503, SERVER, "engine_restarting"),
}
UNKNOWN_ERROR = (500, SERVER, "engine_error")


def envelope(message: str, type: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def engine_error(error: EngineError) -> tuple[int, dict[str, Any]]:
    """HTTP status and body."""
    status, type, code = ENGINE_ERRORS.get(error.code, UNKNOWN_ERROR)
    return status, envelope(error.message, type, code, error.param)


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """REST_FRAMEWORK["EXCEPTION_HANDLER"]: the only place where errors become HTTP."""
    if isinstance(error, EngineError):
        status, body = engine_error(error)
        response = Response(body, status=status)
        if error.retry_after is not None:
            response["Retry-After"] = str(round(error.retry_after))
        return response
    answer = exception_handler(error, context)
    if answer is None:
        logger.exception("view failed", exc_info=error)
        return Response(
            envelope("The server failed; its log says why.", SERVER, "internal_error"), status=500
        )
    answer.data = _api_envelope(error)
    return answer


def _api_envelope(error: Exception) -> dict[str, Any]:
    match error:
        case ApiError():
            return envelope(error.message, INVALID, error.code, error.param)
        case exceptions.AuthenticationFailed() | exceptions.NotAuthenticated():
            return envelope(str(error.detail), "authentication_error", "invalid_api_key")
        case exceptions.PermissionDenied() | PermissionDenied():
            return envelope("You may not do this.", "permission_error", "permission_denied")
        case exceptions.Throttled():
            return envelope(str(error.detail), "rate_limit_error", "rate_limit_exceeded")
        case exceptions.APIException():
            return envelope(str(error.detail), INVALID, str(error.default_code))
        case Http404():
            return envelope("There is nothing here.", INVALID, "not_found")
    raise error


def message_of(data: Any) -> str:
    """The sentence of an envelope, for dialects that carry no more."""
    return str(data["error"]["message"])


def not_found(request: HttpRequest) -> JsonResponse:
    """For paths under /v1 that no view answers."""
    message = f"There is no {request.method} {request.path}."
    return JsonResponse(envelope(message, INVALID, "not_found"), status=404)
