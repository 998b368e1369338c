"""One table of what can go wrong: it becomes an HTTP status, an event or a socket's frame."""

import logging
from typing import Any

from redis.exceptions import RedisError

from accounts.errors import Exceeds, Forbidden, LimitReached, QuotaExhausted, Refusal

from .runtime import EngineError

logger = logging.getLogger(__name__)

INVALID = "invalid_request_error"
SERVER = "server_error"
CACHE_UNAVAILABLE = "cache_unavailable"
NOT_COUNTED = "Requests cannot be counted now; try again later."

# Engine's code: HTTP status, the envelope's type, and its code.
ENGINE_ERRORS: dict[str, tuple[int, str, str]] = {
    "invalid_request_error": (400, INVALID, "invalid_request_error"),
    "grammar_too_complex": (400, INVALID, "grammar_too_complex"),
    "template_error": (400, INVALID, "invalid_request_error"),
    "context_length_exceeded": (400, INVALID, "context_length_exceeded"),
    "input_too_long": (400, INVALID, "context_length_exceeded"),
    "unfit_model": (400, INVALID, "invalid_request_error"),
    "unsupported_parameter": (400, INVALID, "unsupported_parameter"),
    "content_denied": (400, INVALID, "content_denied"),
    "model_not_found": (404, INVALID, "model_not_found"),
    "queue_full": (429, "rate_limit_error", "rate_limit_exceeded"),
    "overloaded": (503, SERVER, "overloaded"),
    "model_load_failed": (503, SERVER, "model_load_failed"),
    "engine_unusable": (503, SERVER, "engine_unusable"),
    "engine_restarting": (503, SERVER, "engine_restarting"),
    "engine_stopped": (503, SERVER, "engine_restarting"),
    "conversation_not_found": (404, INVALID, "conversation_not_found"),
    "message_not_found": (404, INVALID, "message_not_found"),
    "response_not_found": (404, INVALID, "response_not_found"),
    "previous_response_not_found": (404, INVALID, "previous_response_not_found"),
    "conversation_busy": (409, INVALID, "conversation_busy"),
}
UNKNOWN_ERROR = (500, SERVER, "engine_error")


def envelope(message: str, type: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def failure(error: Exception) -> tuple[int, dict[str, Any]]:
    """HTTP status and body of what went wrong in the engine, or where nobody expected it."""
    if isinstance(error, Refusal):
        return _refused(error)
    if isinstance(error, RedisError):
        logger.error("the cache does not answer: %s", error)
        return 503, envelope(NOT_COUNTED, SERVER, CACHE_UNAVAILABLE)
    if isinstance(error, EngineError):
        status, type, code = ENGINE_ERRORS.get(error.code, UNKNOWN_ERROR)
        return status, envelope(error.message, type, code, error.param)
    logger.error("request failed", exc_info=error)
    return 500, envelope("The server failed; its log says why.", SERVER, "internal_error")


def _refused(error: Refusal) -> tuple[int, dict[str, Any]]:
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
