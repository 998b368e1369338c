"""What is left of a caller's requests and tokens, as every answer tells it."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from redis.exceptions import RedisError

from accounts import accounting
from accounts.callers import Caller
from accounts.policy import Limit
from accounts.quota.windows import Quota
from accounts.rates import Allowance, limits_of
from inference.admission import TokensLeft, tightest, token_quotas

logger = logging.getLogger(__name__)

OF_REQUESTS = "x-ratelimit-limit-requests"
OF_TOKENS = "x-ratelimit-limit-tokens"


def request_headers(left: Allowance) -> dict[str, str]:
    """Where requests a minute stand, in OpenAI's names, and in the older service's."""
    return {
        OF_REQUESTS: str(left.limit),
        "x-ratelimit-remaining-requests": str(left.remaining),
        "x-ratelimit-reset-requests": f"{left.reset_seconds}s",
        "X-RateLimit-Limit": str(left.limit),
        "X-RateLimit-Remaining": str(left.remaining),
        "X-RateLimit-Reset": str(left.reset_seconds),
    }


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
        return request_headers(min(found, key=lambda one: one.remaining)) if found else {}

    def _of_tokens(self) -> dict[str, str]:
        if not self.quotas:
            return {}
        now = timezone.now()
        left = tightest(accounting.quotas_store().counts(self.quotas, now), now)
        return token_headers(left) if left else {}
