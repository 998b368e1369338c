"""Middleware that programs' requests go through, without a change of threads.

Django runs the hooks of older middleware on a thread, each with two changes of
threads, in case they wait for something. These do not.
"""

from typing import Any

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.middleware import security
from django_prometheus import middleware as prometheus


class _OnEventLoop:
    """For a MiddlewareMixin whose hooks only compute."""

    async def __acall__(self: Any, request: HttpRequest) -> HttpResponseBase:
        refusal: HttpResponseBase | None = None
        if hasattr(self, "process_request"):
            refusal = self.process_request(request)
        response = refusal or await self.get_response(request)
        return self.process_response(request, response)


class SecurityMiddleware(_OnEventLoop, security.SecurityMiddleware):
    """Refuses names of hosts that are not ours too, as pages do in CommonMiddleware.

    Else a page whose name leads to this machine could read what a browser here may read.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        request.get_host()
        return super().process_request(request)


class MetricsBefore(_OnEventLoop, prometheus.PrometheusBeforeMiddleware):
    pass


class MetricsAfter(_OnEventLoop, prometheus.PrometheusAfterMiddleware):
    async def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        super().process_view(request, view, *args, **kwargs)
