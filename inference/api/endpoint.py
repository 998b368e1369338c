"""What all endpoints share: they speak JSON to everybody, and say how much one may still ask."""

from collections.abc import Sequence
from typing import Any

from adrf.views import APIView
from channels.db import database_sync_to_async
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from pydantic import BaseModel
from redis.exceptions import RedisError
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.addresses import client_address
from accounts.authentication import caller
from accounts.callers import Caller
from accounts.rates import Allowance
from inference.admission import Asker, Reply, VectorReply

from .allowance import Untold, request_headers, token_headers
from .openapi.errors import Error
from .refusals import CacheUnavailable
from .throttling import RequestsPerMinute, count_stranger

SILENT = (RedisError, DatabaseError, CacheUnavailable)


class AlwaysJson(BaseContentNegotiation):
    """Whatever a client says it sends or accepts: `text/event-stream`, `text/plain`, nothing."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class Endpoint(APIView):
    """One that policies know by its `endpoint`; without one, policies do not restrict it.

    Its answers say what is left, unless it `is_silent`.
    """

    endpoint = ""
    is_silent = False
    error_body: type[BaseModel] = Error  # as the schema says it
    known: Caller | None = None  # who asks, once they have been let in
    allowance: Allowance | None = None  # once the request has been counted
    content_negotiation_class = AlwaysJson
    renderer_classes = [JSONRenderer]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        made: Request = super().initialize_request(request, *args, **kwargs)
        # DRF takes a body without a length, a chunked one, for none.
        made._stream = request  # type: ignore[assignment]
        return made

    async def async_dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response: HttpResponseBase = await super().async_dispatch(request, *args, **kwargs)
        if untold := self._untold(request, response):
            _add(response, await database_sync_to_async(untold.headers)())
        return response

    def sync_dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = super().sync_dispatch(request, *args, **kwargs)
        if untold := self._untold(request, response):
            _add(response, untold.headers())
        return response

    def _untold(self, request: HttpRequest, response: HttpResponseBase) -> Untold | None:
        return None if self.is_silent else Untold.by(response, self.known, request)

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if self.allowance and not self.is_silent:
            _add(response, request_headers(self.allowance))
        final: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)
        return final

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, SILENT):
            self.is_silent = True  # what has not answered just now is not asked again
        answer: Response = super().handle_exception(exc)
        return answer

    def perform_authentication(self, request: Request) -> None:
        try:
            super().perform_authentication(request)
        except AuthenticationFailed:
            count_stranger(request, self)
            raise
        self.known = request.user if isinstance(request.user, Caller) else None

    def check_throttles(self, request: Request) -> None:
        """On this thread: adrf's own waits for the event loop, for ever if that has ended."""
        for throttle in self.get_throttles():
            throttle.allow_request(request, self)

    def check_permissions(self, request: Request) -> None:
        """
        Raises:
            Forbidden: the caller's policy does not let this request in.
        """
        super().check_permissions(request)
        if self.known:
            policy = self.known.policy
            policy.check_expiry(timezone.now())
            policy.check_address(client_address(request._request))
            if self.endpoint:
                policy.check_endpoint(self.endpoint)

    def asker(self, request: Request) -> Asker:
        return Asker(
            caller(request),
            self.endpoint,
            request_id=str(getattr(request._request, "request_id", "")),
            address=client_address(request._request),
            client=request.headers.get("user-agent", ""),
        )


class LimitedEndpoint(Endpoint):
    """One that counts against the caller's requests a minute."""

    throttle_classes = [RequestsPerMinute]
    answers: Sequence[Reply] = ()  # set once they have been admitted

    async def async_dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Lets go of the answers: a stream that nobody reads ends when nothing holds it."""
        response: HttpResponseBase = await super().async_dispatch(request, *args, **kwargs)
        self.response, self.answers = None, ()
        return response

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        _add(response, tightest(self.answers))
        final: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)
        return final


def tightest(answers: Sequence[Reply | VectorReply]) -> dict[str, str]:
    """What is left of the quota that has the least left."""
    left = [one for answer in answers if (one := answer.tokens_left())]
    return token_headers(min(left, key=lambda one: one.remaining)) if left else {}


def _add(response: HttpResponseBase, headers: dict[str, str]) -> None:
    for name, value in headers.items():
        response[name] = value
