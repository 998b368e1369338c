"""Requests a minute, for each key and for each address."""

import logging
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from .refusals import CacheUnavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a caller's requests until the count starts anew."""

    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        """OpenAI's names, and the older service's."""
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": f"{self.reset_seconds}s",
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_seconds),
        }


class RequestsPerMinute(BaseThrottle):
    """`limits.default_rate_limit_per_minute`, counted in the cache that all processes share.

    The view's `allowance` is that of the key or of the address, whichever is smaller.
    """

    allowance: Allowance

    async def allow_request(  # type: ignore[override]  # adrf awaits it
        self, request: Request, view: Any
    ) -> bool:
        limit = settings.CONFIG.rate_limit_per_minute
        if not limit:
            return True
        try:
            return await sync_to_async(self._allow)(request, view, limit)
        except RedisError as error:  # not open because nobody counts
            logger.error("the cache does not answer: %s", error)
            raise CacheUnavailable("Requests cannot be counted now; try again later.") from None

    def _allow(self, request: Request, view: Any, limit: int) -> bool:
        address = request.META.get("REMOTE_ADDR", "")
        for group, who in (("key", str(request.user.pk)), ("address", address)):
            usage = _count(request, group, who, limit)
            allowance = Allowance(limit, max(0, limit - usage["count"]), max(1, usage["time_left"]))
            if view.allowance is None or allowance.remaining <= view.allowance.remaining:
                view.allowance = self.allowance = allowance
            if usage["should_limit"]:
                return False
        return True

    def wait(self) -> float:
        return float(self.allowance.reset_seconds)


def _count(request: Request, group: str, who: str, limit: int) -> dict[str, Any]:
    usage: dict[str, Any] = get_usage(
        request._request,
        group=f"requests:{group}",
        key=lambda group, request: who,
        rate=f"{limit}/m",
        increment=True,
    )
    return usage
