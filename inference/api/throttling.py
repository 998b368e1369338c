"""Requests a minute, for each key, each address, and whatever policies limit."""

import logging
from collections.abc import Iterable
from typing import Any

from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import rates
from accounts.authentication import caller
from accounts.policy import Limit
from accounts.rates import limits_of

from .refusals import CacheUnavailable

logger = logging.getLogger(__name__)


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
        _count(request, view, limits_of(caller(request), request._request))
        return True


def count_stranger(request: Request, view: Any) -> None:
    """A request that no key lets in counts for its address.

    Raises:
        LimitReached, CacheUnavailable: as `allow_request` does.
    """
    _count(request, view, limits_of(None, request._request))


def _count(request: Request, view: Any, limits: Iterable[Limit]) -> None:
    try:
        for allowance in rates.count(limits, request._request):
            if view.allowance is None or allowance.remaining <= view.allowance.remaining:
                view.allowance = allowance
    except RedisError as error:
        logger.error("the cache does not answer: %s", error)
        raise CacheUnavailable from None
