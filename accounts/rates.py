"""Requests a minute: for each key, each address, and whatever policies limit.

Counted in the cache that all processes share. All of it raises RedisError when that does
not answer: nobody is let through uncounted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django_ratelimit.core import get_usage

from .addresses import client_address
from .callers import Caller
from .errors import LimitReached
from .policy import Limit

DEFAULT_RULE = "limits.default_rate_limit_per_minute"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a caller's requests until the count starts anew."""

    limit: int
    remaining: int
    reset_seconds: int
    is_passed: bool

    @classmethod
    def of(cls, limit: Limit, request: HttpRequest, *, increment: bool) -> Self:
        """Counts the request with `increment`, else only looks."""
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


def limits_of(who: Caller | None, request: HttpRequest) -> Iterator[Limit]:
    """All that their requests count for; those of strangers count for their address, apart
    from all others: nobody locks those out who have a key and share an address with them. So a
    key is not safe because few can be tried, but because it is random.
    """
    default = settings.CONFIG.rate_limit_per_minute
    address = client_address(request)
    if default and who is None:
        yield Limit(default, DEFAULT_RULE, "each address", f"stranger:{address}")
    elif default and who:
        yield Limit(default, DEFAULT_RULE, "each key", who.subject)
        yield Limit(default, DEFAULT_RULE, "each address", f"address:{address}")
    if who:
        yield from who.policy.limits("requests_per_minute")


def count(limits: Iterable[Limit], request: HttpRequest) -> Iterator[Allowance]:
    """Count the request at each limit; what is left there, one after the other.

    Raises:
        LimitReached: naming the rule and when it resets.
    """
    for limit in limits:
        allowance = Allowance.of(limit, request, increment=True)
        yield allowance
        if allowance.is_passed:
            raise _reached(limit, allowance)


def count_stranger(request: HttpRequest) -> None:
    """A request for a page that is open to all counts for its address, whoever signed in.

    Raises:
        LimitReached: as `count` does.
    """
    for _ in count(limits_of(None, request), request):
        pass


def _reached(limit: Limit, allowance: Allowance) -> LimitReached:
    return LimitReached(
        f"{limit.value} requests a minute are the limit (rule {limit.rule} of"
        f" {limit.level}). It resets in {allowance.reset_seconds} s.",
        rule=limit.rule,
        level=limit.level,
        limit=limit.value,
        resets_at=timezone.now() + timedelta(seconds=allowance.reset_seconds),
    )
