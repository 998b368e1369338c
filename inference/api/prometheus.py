"""What Prometheus scrapes."""

from django.http import HttpResponse
from django_prometheus.exports import ExportToDjangoView
from rest_framework.request import Request

from .endpoint import Endpoint


class MetricsView(Endpoint):
    """django-prometheus's page, for those who may use the API: it names models and loads."""

    async def get(self, request: Request) -> HttpResponse:
        # On the event loop, where the engines' state is steady.
        page: HttpResponse = ExportToDjangoView(request._request)
        return page
