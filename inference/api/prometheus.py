"""What Prometheus scrapes."""

import hmac
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django_prometheus.exports import ExportToDjangoView
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.authentication import REJECTED, ApiKeyAuthentication, caller
from accounts.callers import Caller

from .endpoint import Endpoint
from .openapi.older import PAGE
from .openapi.operation import TEXT, operation

SCRAPER = Caller("metrics", "metrics")


class MetricsAuthentication(ApiKeyAuthentication):
    """`security.metrics_token` and nothing else, if it is set; else as the API."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        token = settings.CONFIG.security.metrics_token
        if token is None:
            return super().authenticate(request)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not _is_same(given.strip(), token.get_secret_value()):
            raise AuthenticationFailed(
                "Send security.metrics_token as 'Authorization: Bearer TOKEN'.", REJECTED
            )
        return SCRAPER, None


def _is_same(given: str, token: str) -> bool:
    """Compare in a time that tells neither where they differ nor how long the token is."""
    received = given.encode("latin-1", "replace")  # as the server decoded it
    return hmac.compare_digest(sha256(received).digest(), sha256(token.encode()).digest())


class IsOperator(BasePermission):
    """The page names models, and tells how much everybody uses them."""

    message = "This is for administrators, keys of security.api_keys, and security.metrics_token."

    def has_permission(self, request: Request, view: Any) -> bool:
        return not settings.CONFIG.security.enable_auth or caller(request).is_operator


class MetricsView(Endpoint):
    """django-prometheus's page."""

    authentication_classes: list[type[BaseAuthentication]] = [MetricsAuthentication]
    permission_classes: list[type[BasePermission]] = [IsOperator]
    is_silent = True

    @operation("What Prometheus scrapes", answer=PAGE, media_type=TEXT)
    async def get(self, request: Request) -> HttpResponse:
        # On the event loop, where the engines' state is steady.
        page: HttpResponse = ExportToDjangoView(request._request)
        return page
