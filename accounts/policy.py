"""The rules that hold for one caller: those of the key, the person, and their groups.

The strictest wins: every level has to let a request pass. What refuses names the
rule and whose it is.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from .errors import Exceeds, Forbidden
from .models import Policy, SchedulerClass
from .quota.windows import Period, Quota

QUOTAS = {
    "tokens_per_minute": Period.MINUTE,
    "tokens_per_day": Period.DAY,
    "tokens_per_month": Period.MONTH,
    "max_running": Period.RUNNING,
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that may not be passed, the rule's name and whose rule it is."""

    value: int
    rule: str
    level: str
    subject: str


class EffectivePolicy:
    """All levels of one caller at once."""

    def __init__(self, levels: Sequence[Policy]) -> None:
        self.levels = levels

    # Who, what and from where

    def check_expiry(self, now: datetime) -> None:
        """
        Raises:
            Forbidden: a level has come to its end.
        """
        for level in self.levels:
            if level.expires_at and level.expires_at <= now:
                at = level.expires_at.strftime("%Y-%m-%d %H:%M UTC")
                raise self._forbidden(level, "expires_at", f"Access ended at {at}")

    def check_address(self, address: str) -> None:
        """
        Raises:
            Forbidden: a level does not let that address in, or it is not known.
        """
        for level in self.levels:
            if level.allowed_addresses and not _is_within(address, level.allowed_addresses):
                what = f"The address {address or '(unknown)'} may not use this service"
                raise self._forbidden(level, "allowed_addresses", what)

    def check_endpoint(self, endpoint: str) -> None:
        """
        Raises:
            Forbidden: a level does not allow it.
        """
        for level in self.levels:
            if level.allowed_endpoints and endpoint not in level.allowed_endpoints:
                what = f"The endpoint {endpoint!r} is not allowed"
                raise self._forbidden(level, "allowed_endpoints", what)

    def check_model(self, slug: str) -> None:
        """
        Raises:
            Forbidden: a level does not allow it.
        """
        for level in self.levels:
            if not _allows_model(level, slug):
                what = f"The model {slug!r} is not allowed"
                raise self._forbidden(level, "allowed_models", what)

    def allows_model(self, slug: str) -> bool:
        return all(_allows_model(level, slug) for level in self.levels)

    @staticmethod
    def _forbidden(level: Policy, rule: str, what: str) -> Forbidden:
        return Forbidden(f"{what} (rule {rule} of {level.label}).", rule=rule, level=level.label)

    # How much

    def limits(self, rule: str) -> Iterator[Limit]:
        """Of every level that has one."""
        for level in self.levels:
            value: int | None = getattr(level, rule)
            if value is not None:
                yield Limit(value, rule, level.label, level.subject)

    def smallest(self, rule: str) -> Limit | None:
        return min(self.limits(rule), key=lambda limit: limit.value, default=None)

    def check_size(self, rule: str, size: int, what: str, param: str | None = None) -> None:
        """
        Raises:
            Exceeds: `size` passes the smallest limit of that name.
        """
        limit = self.smallest(rule)
        if limit and size > limit.value:
            raise Exceeds(
                f"{what} is {size}, and {limit.value} is the most (rule {rule} of {limit.level}).",
                rule=rule,
                level=limit.level,
                param=param,
            )

    @cached_property
    def quotas(self) -> list[Quota]:
        return [
            Quota(limit.subject, period, limit.value, rule, limit.level)
            for rule, period in QUOTAS.items()
            for limit in self.limits(rule)
        ]

    # How

    @property
    def scheduler_class(self) -> SchedulerClass:
        """The lowest that any level names."""
        ranks = list(SchedulerClass)
        named = [
            SchedulerClass(level.scheduler_class) for level in self.levels if level.scheduler_class
        ]
        return max(named, key=ranks.index, default=SchedulerClass.DEFAULT)

    def check_deterministic(self) -> None:
        """
        Raises:
            Forbidden: a level does not allow answers that are computed alone.
        """
        for level in self.levels:
            if level.deterministic is False:
                what = "Deterministic answers are not allowed"
                raise self._forbidden(level, "deterministic", what)

    @property
    def deterministic_class(self) -> SchedulerClass:
        """Of an answer that is computed alone: all others wait for it, so it has to be allowed
        to come before them.
        """
        return self.scheduler_class if self._agreed("deterministic") else SchedulerClass.BACKGROUND

    @cached_property
    def caps(self) -> dict[str, int]:
        """How many requests a model may compute at once, by whose number it is."""
        return {limit.subject: limit.value for limit in self.limits("max_computed")}

    @property
    def logs_prompts(self) -> bool:
        return self._agreed("log_prompts")

    def _agreed(self, rule: str) -> bool:
        """Whether a level says yes, and none says no."""
        said = [value for level in self.levels if (value := getattr(level, rule)) is not None]
        return bool(said) and all(said)


NO_POLICY = EffectivePolicy([])


def _allows_model(level: Policy, slug: str) -> bool:
    allowed: list[str] | None = level.allowed_models
    return not allowed or any(fnmatchcase(slug, pattern) for pattern in allowed)


def _is_within(address: str, networks: Sequence[Any]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    return any(mapped in ipaddress.ip_network(network) for network in networks)
