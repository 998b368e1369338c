"""What all endpoints share: they speak JSON to everybody, and say how much one may still ask."""

from collections.abc import Sequence
from typing import Any

from adrf.views import APIView
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from accounts.addresses import client_address
from accounts.authentication import caller
from accounts.callers import Caller
from inference.admission import Asker, Reply

from .errors import token_headers
from .throttling import Allowance, RequestsPerMinute, count_stranger


class AlwaysJson(BaseContentNegotiation):
    """Whatever a client says it sends or accepts: `text/event-stream`, `text/plain`, nothing."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class Endpoint(APIView):
    """One that policies know by its `endpoint`; without one, policies do not restrict it."""

    endpoint = ""
    content_negotiation_class = AlwaysJson
    renderer_classes = [JSONRenderer]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        made: Request = super().initialize_request(request, *args, **kwargs)
        # DRF takes a body without a length, a chunked one, for none.
        made._stream = request  # type: ignore[assignment]
        return made

    def perform_authentication(self, request: Request) -> None:
        try:
            super().perform_authentication(request)
        except AuthenticationFailed:
            count_stranger(request)
            raise

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
        if isinstance(request.user, Caller):
            policy = request.user.policy
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
    allowance: Allowance | None = None  # set by the throttle
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
        if self.allowance:
            for name, value in self.allowance.headers().items():
                response[name] = value
        for name, value in tightest(self.answers).items():
            response[name] = value
        final: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)
        return final


def tightest(answers: Sequence[Reply]) -> dict[str, str]:
    """What is left of the quota that has the least left."""
    allowances = [a for answer in answers if (a := answer.token_allowance())]
    return token_headers(*min(allowances, key=lambda a: a[1])) if allowances else {}
