"""Requests a minute, for each key, each address, and whatever policies limit."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.addresses import client_address
from accounts.authentication import caller
from accounts.errors import LimitReached
from accounts.policy import Limit

from .refusals import CacheUnavailable

logger = logging.getLogger(__name__)

DEFAULT_RULE = "limits.default_rate_limit_per_minute"


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
    """Counts in the cache that all processes share, at every level that has a limit.

    The view's `allowance` is the one with the fewest requests left.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        """
        Raises:
            LimitReached: naming the rule and when it resets.
            CacheUnavailable: nobody counts, and nobody is let through uncounted.
        """
        try:
            for limit in _limits(request):
                self._count(request, view, limit)
        except RedisError as error:
            logger.error("the cache does not answer: %s", error)
            raise CacheUnavailable from None
        return True

    def _count(self, request: Request, view: Any, limit: Limit) -> None:
        allowance, is_reached = _counted(request, limit)[1:]
        if view.allowance is None or allowance.remaining <= view.allowance.remaining:
            view.allowance = allowance
        _refuse(limit, allowance, is_reached)


def _counted(request: Request, limit: Limit) -> tuple[Limit, Allowance, bool]:
    usage = _usage(request, limit)
    left = max(0, limit.value - usage["count"])
    reset = max(1, usage["time_left"] + 1)  # the window's last second belongs to it
    return limit, Allowance(limit.value, left, reset), usage["should_limit"]


def _refuse(limit: Limit, allowance: Allowance, is_reached: bool) -> None:
    if not is_reached:
        return
    raise LimitReached(
        f"{limit.value} requests a minute are the limit (rule {limit.rule} of"
        f" {limit.level}). It resets in {allowance.reset_seconds} s.",
        rule=limit.rule,
        level=limit.level,
        limit=limit.value,
        resets_at=timezone.now() + timedelta(seconds=allowance.reset_seconds),
    )


def count_stranger(request: Request) -> None:
    """A request that no key lets in counts for its address.

    Raises:
        LimitReached, CacheUnavailable: as `allow_request` does.
    """
    default = settings.CONFIG.rate_limit_per_minute
    if default:
        subject = f"stranger:{client_address(request._request)}"
        try:
            _refuse(*_counted(request, Limit(default, DEFAULT_RULE, "each address", subject)))
        except RedisError as error:
            logger.error("the cache does not answer: %s", error)
            raise CacheUnavailable from None


def _limits(request: Request) -> Iterator[Limit]:
    default = settings.CONFIG.rate_limit_per_minute
    if default:
        address = client_address(request._request)
        yield Limit(default, DEFAULT_RULE, "each key", caller(request).subject)
        yield Limit(default, DEFAULT_RULE, "each address", f"address:{address}")
    yield from caller(request).policy.limits("requests_per_minute")


def _usage(request: Request, limit: Limit) -> dict[str, Any]:
    usage: dict[str, Any] = get_usage(
        request._request,
        group=f"requests:{limit.rule}",
        key=lambda group, request: limit.subject,
        rate=f"{limit.value}/m",
        increment=True,
    )
    return usage
