"""Requests a minute, for each key and for each address."""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django_ratelimit.core import get_usage
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle


class RequestsPerMinute(BaseThrottle):
    """`limits.default_rate_limit_per_minute`, counted in the cache that all processes share."""

    def __init__(self) -> None:
        self._time_left = 60

    async def allow_request(  # type: ignore[override]  # adrf awaits it
        self, request: Request, view: Any
    ) -> bool:
        limit = settings.CONFIG.rate_limit_per_minute
        if not limit:
            return True
        return await sync_to_async(self._count)(request, limit)

    def _count(self, request: Request, limit: int) -> bool:
        address = request.META.get("REMOTE_ADDR", "")
        for group, who in (("key", request.user.pk), ("address", address)):
            usage = get_usage(
                request._request,
                group=f"requests:{group}",
                key=lambda group, request, who=who: str(who),
                rate=f"{limit}/m",
                increment=True,
            )
            if usage and usage["should_limit"]:
                self._time_left = max(1, usage["time_left"])
                return False
        return True

    def wait(self) -> float:
        return float(self._time_left)
