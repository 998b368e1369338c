"""Every refusal, in the shape OpenAI's clients expect."""

import logging
import math
from typing import Any

from django.core.exceptions import DisallowedHost, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone
from redis.exceptions import RedisError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from accounts.errors import Exceeds, Forbidden, LimitReached, QuotaExhausted, Refusal
from inference.admission import TokensLeft
from inference.runtime import EngineError

from .allowance import token_headers
from .refusals import ApiError, CacheUnavailable

logger = logging.getLogger(__name__)

INVALID = "invalid_request_error"
SERVER = "server_error"

# Engine's code: HTTP status, the envelope's type, and its code.
ENGINE_ERRORS: dict[str, tuple[int, str, str]] = {
    "invalid_request_error": (400, INVALID, "invalid_request_error"),
    "template_error": (400, INVALID, "invalid_request_error"),
    "context_length_exceeded": (400, INVALID, "context_length_exceeded"),
    "content_denied": (400, INVALID, "content_denied"),
    "model_not_found": (404, INVALID, "model_not_found"),
    "queue_full": (429, "rate_limit_error", "rate_limit_exceeded"),
    "overloaded": (503, SERVER, "overloaded"),
    "model_load_failed": (503, SERVER, "model_load_failed"),
    "engine_unusable": (503, SERVER, "engine_unusable"),
    "engine_restarting": (503, SERVER, "engine_restarting"),
    "engine_stopped": (503, SERVER, "engine_restarting"),
}
UNKNOWN_ERROR = (500, SERVER, "engine_error")

RETRIABLE = (429, 503)
RETRY_AFTER_SECONDS = 5.0  # where the engine does not know better
LONGEST_HOST = 100  # characters of it that an error repeats


def envelope(message: str, type: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def failure(error: Exception) -> tuple[int, dict[str, Any]]:
    """HTTP status and body of what went wrong in the engine, or where nobody expected it."""
    if isinstance(error, Refusal):
        return refused(error)
    if isinstance(error, RedisError):
        logger.error("the cache does not answer: %s", error)
        return 503, envelope(str(CacheUnavailable()), SERVER, CacheUnavailable.default_code)
    if isinstance(error, EngineError):
        status, type, code = ENGINE_ERRORS.get(error.code, UNKNOWN_ERROR)
        return status, envelope(error.message, type, code, error.param)
    logger.error("request failed", exc_info=error)
    return 500, envelope("The server failed; its log says why.", SERVER, "internal_error")


def refused(error: Refusal) -> tuple[int, dict[str, Any]]:
    """What a policy does not allow."""
    match error:
        case Exceeds():
            return 400, envelope(error.message, INVALID, error.code, error.param)
        case QuotaExhausted():
            return 429, envelope(error.message, "insufficient_quota", error.code)
        case LimitReached():
            return 429, envelope(error.message, "rate_limit_error", error.code)
        case Forbidden():
            return 403, envelope(error.message, "permission_error", error.code)
    raise error


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """REST_FRAMEWORK["EXCEPTION_HANDLER"]: the only place where errors become HTTP."""
    answer = exception_handler(error, context)
    if answer is not None:
        answer.data = _api_envelope(error)
    else:
        status, body = failure(error)
        answer = Response(body, status=status)
    for name, value in _headers(error).items():
        answer[name] = value
    if isinstance(error, QuotaExhausted):  # so late that waiting for it is not for a program
        answer["x-should-retry"] = "false"
    elif answer.status_code in RETRIABLE and "Retry-After" not in answer:
        answer["Retry-After"] = str(math.ceil(_retry_after(error)))
    return answer


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, ApiError):
        return error.headers
    if isinstance(error, LimitReached) and error.rule.startswith("tokens_"):
        return token_headers(TokensLeft(error.limit, error.remaining, _retry_after(error)))
    return {}


def _retry_after(error: Exception) -> float:
    if isinstance(error, LimitReached) and error.resets_at:
        return max(1.0, (error.resets_at - timezone.now()).total_seconds())
    return getattr(error, "retry_after", None) or RETRY_AFTER_SECONDS


def _api_envelope(error: Exception) -> dict[str, Any]:
    match error:
        case ApiError():
            kind = SERVER if error.status_code >= 500 else INVALID
            return envelope(error.message, kind, error.default_code, error.param)
        case exceptions.AuthenticationFailed() | exceptions.NotAuthenticated():
            return envelope(str(error.detail), "authentication_error", "invalid_api_key")
        case exceptions.PermissionDenied():
            return envelope(str(error.detail), "permission_error", "permission_denied")
        case PermissionDenied():
            return envelope("You may not do this.", "permission_error", "permission_denied")
        case exceptions.Throttled():
            return envelope(str(error.detail), "rate_limit_error", "rate_limit_exceeded")
        case exceptions.APIException():
            return envelope(str(error.detail), INVALID, str(error.default_code))
        case Http404():
            return envelope("There is nothing here.", INVALID, "not_found")
    raise error


def message_of(body: Any) -> str:
    """The sentence of an envelope, for dialects that carry no more."""
    return str(body["error"]["message"])


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: what Django refuses before any view. Programs get an envelope."""
    reason = _reason(request, exception)
    if "text/html" in request.headers.get("accept", ""):
        # Not with the request in its context: whatever asks for the host is refused again.
        return HttpResponse(render_to_string("400.html", {"reason": reason}), status=400)
    return JsonResponse(envelope(reason, INVALID, "invalid_request_error"), status=400)


def _reason(request: HttpRequest, exception: Exception) -> str:
    if isinstance(exception, DisallowedHost):
        host = request.headers.get("host", "")[:LONGEST_HOST]
        return f"The request is for {host!r}, a host that is not in server.allowed_hosts."
    return "The request cannot be used."
