"""Every refusal, in the shape OpenAI's clients expect."""

import math
from typing import Any

from django.core.exceptions import DisallowedHost, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from accounts.errors import LimitReached, QuotaExhausted
from inference.admission import TokensLeft
from inference.failures import INVALID, SERVER, envelope, failure

from .allowance import token_headers
from .refusals import ApiError

RETRIABLE = (429, 503)
RETRY_AFTER_SECONDS = 5.0  # where the engine does not know better
LONGEST_HOST = 100  # characters of it that an error repeats


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
