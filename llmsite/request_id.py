"""Gives every request an id, and the log one line about it."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.encoding import escape_uri_path

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]

HEADER = "x-request-id"
ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
POLLED = ("/health", "/readiness", "/metrics")
CLIENT_LEFT = 499  # nginx's word for it

logger = structlog.stdlib.get_logger(__name__)


class RequestIdMiddleware:
    """Sets `request.request_id` and answers with `x-request-id`.

    The client's own is taken if it is short and harmless. All log lines of the
    request carry it, and so do those of a stream that outlives the view.
    """

    async_capable = True
    sync_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._answer_async(request)
        line = RequestLine(request)
        response = self.get_response(request)
        assert isinstance(response, HttpResponseBase)
        return line.written_after(response)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        line = RequestLine(request)
        response = self.get_response(request)
        assert not isinstance(response, HttpResponseBase)
        try:
            return line.written_after(await response)
        except asyncio.CancelledError:
            line.write(CLIENT_LEFT)
            raise


class RequestLine:
    """The log's line about one request."""

    def __init__(self, request: HttpRequest) -> None:
        self.started_at = time.perf_counter()
        self.method = request.method
        self.path = escape_uri_path(request.path)
        self.request_id = _request_id(request)
        request.request_id = self.request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=self.request_id)

    def written_after(self, response: HttpResponseBase) -> HttpResponseBase:
        """The response with its id; the line comes when all of it is sent, or the client left."""
        response.headers[HEADER] = self.request_id
        # Django's own, but the one hook at the end of a stream that adds nothing to each event.
        closers = response._resource_closers  # type: ignore[attr-defined]
        closers.append(lambda: self.write(response.status_code))
        return response

    def write(self, status: int) -> None:
        log = logger.debug if self.path in POLLED else logger.info
        log(
            "request",
            request_id=self.request_id,  # whoever closes a response has another context
            method=self.method,
            path=self.path,
            status=status,
            duration_ms=round((time.perf_counter() - self.started_at) * 1000, 1),
        )


def _request_id(request: HttpRequest) -> str:
    given = request.headers.get(HEADER, "")
    return given if ACCEPTED.fullmatch(given) else f"req_{uuid4().hex}"
