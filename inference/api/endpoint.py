"""What all endpoints share: they speak JSON to everybody, and say how much one may still ask."""

from collections.abc import Sequence
from typing import Any

from adrf.views import APIView
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from accounts.addresses import client_address
from accounts.authentication import caller
from accounts.callers import Caller
from inference.admission import Asker, Reply

from .throttling import Allowance, RequestsPerMinute


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
        for name, value in token_headers(self.answers).items():
            response[name] = value
        final: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)
        return final


def token_headers(answers: Sequence[Reply]) -> dict[str, str]:
    """What is left of the tightest quota, in OpenAI's names."""
    allowances = [a for answer in answers if (a := answer.token_allowance())]
    if not allowances:
        return {}
    limit, left, seconds = min(allowances, key=lambda allowance: allowance[1])
    return {
        "x-ratelimit-limit-tokens": str(limit),
        "x-ratelimit-remaining-tokens": str(left),
        "x-ratelimit-reset-tokens": f"{max(1, round(seconds))}s",
    }
