"""What the API itself refuses, before the engine is asked.

Apart from `errors`, which needs REST framework's views, and those need our parser.
"""

from rest_framework.exceptions import APIException


class ApiError(APIException):
    """A refusal by the API itself."""

    status_code = 400
    default_code = "invalid_request_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, code or self.default_code)
        self.message = message
        self.param = param
        self.code = code or self.default_code


class UnsupportedParameter(ApiError):
    """A field whose silent loss would change what the answer means."""

    default_code = "unsupported_parameter"


class RequestTooLarge(ApiError):
    status_code = 413
    default_code = "request_too_large"
