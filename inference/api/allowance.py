"""What is left of a caller's requests and tokens, as every answer tells it."""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

from accounts import accounting
from accounts.addresses import client_address
from accounts.callers import Caller
from accounts.policy import Limit
from accounts.quota.windows import Quota
from inference.admission import TokensLeft, tightest, token_quotas

logger = logging.getLogger(__name__)

DEFAULT_RULE = "limits.default_rate_limit_per_minute"
OF_REQUESTS = "x-ratelimit-limit-requests"
OF_TOKENS = "x-ratelimit-limit-tokens"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a caller's requests until the count starts anew."""

    limit: int
    remaining: int
    reset_seconds: int
    is_passed: bool

    @classmethod
    def of(cls, limit: Limit, request: HttpRequest, *, increment: bool) -> Self:
        """Counts the request with `increment`, else only looks. Raises RedisError."""
        usage: dict[str, Any] = get_usage(
            request,
            group=f"requests:{limit.rule}",
            key=lambda group, request: limit.subject,
            rate=f"{limit.value}/m",
            increment=increment,
        )
        left = max(0, limit.value - usage["count"])
        reset = max(1, usage["time_left"] + 1)  # the window's last second belongs to it
        return cls(limit.value, left, reset, usage["should_limit"])

    def headers(self) -> dict[str, str]:
        """OpenAI's names, and the older service's."""
        return {
            OF_REQUESTS: str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": f"{self.reset_seconds}s",
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_seconds),
        }


def limits_of(who: Caller | None, request: HttpRequest) -> Iterator[Limit]:
    """All that their requests count for; those of strangers count for their address."""
    default = settings.CONFIG.rate_limit_per_minute
    address = client_address(request)
    if default and who is None:
        yield Limit(default, DEFAULT_RULE, "each address", f"stranger:{address}")
    elif default and who:
        yield Limit(default, DEFAULT_RULE, "each key", who.subject)
        yield Limit(default, DEFAULT_RULE, "each address", f"address:{address}")
    if who:
        yield from who.policy.limits("requests_per_minute")


def token_headers(left: TokensLeft) -> dict[str, str]:
    """Where a quota of tokens stands, in OpenAI's names."""
    return {
        OF_TOKENS: str(left.limit),
        "x-ratelimit-remaining-tokens": str(left.remaining),
        "x-ratelimit-reset-tokens": f"{max(1, math.ceil(left.seconds))}s",
    }


@dataclass(frozen=True, slots=True)
class Untold:
    """The limits and quotas that an answer does not tell of yet."""

    request: HttpRequest
    limits: Sequence[Limit]
    quotas: Sequence[Quota]

    @classmethod
    def by(cls, response: HttpResponseBase, who: Caller | None, request: HttpRequest) -> Self:
        limits = [] if OF_REQUESTS in response else [*limits_of(who, request)]
        quotas = token_quotas(who.policy.quotas) if who and OF_TOKENS not in response else []
        return cls(request, limits, quotas)

    def __bool__(self) -> bool:
        return bool(self.limits or self.quotas)

    def headers(self) -> dict[str, str]:
        """Asks the cache and the database, and counts nothing; empty if they do not answer."""
        try:
            return {**self._of_requests(), **self._of_tokens()}
        except (RedisError, DatabaseError) as error:
            logger.warning("an answer does not say what is left: %s", error)
            return {}

    def _of_requests(self) -> dict[str, str]:
        found = [Allowance.of(limit, self.request, increment=False) for limit in self.limits]
        return min(found, key=lambda one: one.remaining).headers() if found else {}

    def _of_tokens(self) -> dict[str, str]:
        if not self.quotas:
            return {}
        now = timezone.now()
        left = tightest(accounting.quotas_store().counts(self.quotas, now), now)
        return token_headers(left) if left else {}
