"""What all endpoints share: they speak JSON to everybody, and say how much one may still ask."""

from typing import Any

from adrf.views import APIView
from django.http import HttpRequest, HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from .throttling import Allowance, RequestsPerMinute


class AlwaysJson(BaseContentNegotiation):
    """Whatever a client says it sends or accepts: `text/event-stream`, `text/plain`, nothing."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class Endpoint(APIView):
    content_negotiation_class = AlwaysJson
    renderer_classes = [JSONRenderer]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        made: Request = super().initialize_request(request, *args, **kwargs)
        # DRF takes a body without a length, a chunked one, for none.
        made._stream = request  # type: ignore[assignment]
        return made


class LimitedEndpoint(Endpoint):
    """One that counts against the caller's requests a minute."""

    throttle_classes = [RequestsPerMinute]
    allowance: Allowance | None = None  # set by the throttle

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if self.allowance:
            for name, value in self.allowance.headers().items():
                response[name] = value
        final: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)
        return final
