"""What the API itself refuses, before the engine is asked.

Apart from `errors`, which needs REST framework's views, and those need our parser.
"""

from rest_framework.exceptions import APIException


class ApiError(APIException):
    """A refusal by the API itself; `param` is the request's field at fault."""

    status_code = 400
    default_code = "invalid_request_error"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class UnsupportedParameter(ApiError):
    """A field whose silent loss would change what the answer means."""

    default_code = "unsupported_parameter"


class RequestTooLarge(ApiError):
    status_code = 413
    default_code = "request_too_large"


class CacheUnavailable(ApiError):
    status_code = 503
    default_code = "cache_unavailable"


class NoSuchPath(ApiError):
    status_code = 404
    default_code = "not_found"
