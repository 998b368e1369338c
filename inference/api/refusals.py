"""What the API itself refuses, before the engine is asked.

Apart from `errors`, which needs REST framework's views, and those need our parser.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from rest_framework.exceptions import APIException

from inference.failures import CACHE_UNAVAILABLE, NOT_COUNTED

IDEMPOTENCY_KEY = "Idempotency-Key"


class ApiError(APIException):
    """A refusal by the API itself; `param` is the request's field at fault."""

    status_code = 400
    default_code = "invalid_request_error"
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class UnsupportedParameter(ApiError):
    """A field whose silent loss would change what the answer means."""

    default_code = "unsupported_parameter"


@contextmanager
def refusing_depth(param: str) -> Iterator[None]:
    """
    Raises:
        ApiError: what a client sent is nested more deeply than Python goes.
    """
    try:
        yield
    except RecursionError:
        raise ApiError(f"{param}: it is nested too deeply", param=param) from None


class RequestTooLarge(ApiError):
    status_code = 413
    default_code = "request_too_large"


class CacheUnavailable(ApiError):
    status_code = 503
    default_code = CACHE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__(NOT_COUNTED)


class NoSuchPath(ApiError):
    status_code = 404
    default_code = "not_found"


class IdempotencyConflict(ApiError):
    """A key under which this request gets no answer, however often it comes."""

    status_code = 409
    headers = {"x-should-retry": "false"}
    why: ClassVar[str]

    def __init__(self, key: str) -> None:
        super().__init__(f"{IDEMPOTENCY_KEY}: {key!r} {self.why}", param=IDEMPOTENCY_KEY)


class IdempotencyKeyReused(IdempotencyConflict):
    default_code = "idempotency_key_reused"
    why = "came with another request before. Take another key."


class IdempotencyAnswerTooLarge(IdempotencyConflict):
    default_code = "idempotency_answer_too_large"
    why = "has an answer that was too large to be kept. Take another key to compute it again."


class RegistryConflict(ApiError):
    """The registry is not in a state in which that could be done; the code says why."""

    status_code = 409

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.default_code = code
