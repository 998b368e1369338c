"""What is left of quotas of tokens."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from accounts.quota.base import Count
from accounts.quota.windows import Period, Quota


class TokensLeft(NamedTuple):
    """Of one quota: its limit, what is left of it, and seconds until it starts anew."""

    limit: int
    remaining: int
    seconds: float


def token_quotas(quotas: Sequence[Quota]) -> list[Quota]:
    return [quota for quota in quotas if quota.period is not Period.RUNNING]


def tightest(counts: Sequence[Count], now: datetime, given_back: int = 0) -> TokensLeft | None:
    """Of the quota that has the least left; `given_back` is free though it is counted."""
    counts = [count for count in counts if count.quota.period is not Period.RUNNING]
    if not counts:
        return None
    least = min(counts, key=lambda count: count.free)
    end = least.quota.period.end(now)
    assert end is not None
    left = max(0, least.free + given_back)
    return TokensLeft(least.quota.limit, left, (end - now).total_seconds())
