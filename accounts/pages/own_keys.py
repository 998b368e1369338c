"""A person's API keys, as their page shows and changes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Sum
from django.utils.translation import gettext_lazy

from accounts.models import ApiKey, Policy, UsageRecord, User
from accounts.plain_words import rules
from accounts.policy import EffectivePolicy

MAX_ACTIVE = 100
USAGE_SPAN = timedelta(days=30)
STATES = {
    "active": gettext_lazy("active"),
    "expired": gettext_lazy("expired"),
    "revoked": gettext_lazy("revoked"),
}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key, what it did in the last 30 days, and its own rules in words."""

    key: ApiKey
    requests: int
    tokens: int
    rules: list[str]

    @property
    def state(self) -> str:
        return str(STATES[self.key.state])

    @property
    def can_rotate(self) -> bool:
        return can_rotate(self.key)


def can_rotate(key: ApiKey) -> bool:
    return key.state == "active" and key.replaced_by_id is None


def rows(keys: list[ApiKey], now: datetime) -> list[KeyRow]:
    sums = _sums(keys, now - USAGE_SPAN)
    return [KeyRow(key, *sums.get(key.pk, (0, 0)), _own_rules(key)) for key in keys]


def _sums(keys: list[ApiKey], since: datetime) -> dict[int, tuple[int, int]]:
    """Requests and tokens by key."""
    records = UsageRecord.objects.filter(key__in=keys, at__gte=since).order_by()
    by_key = records.values("key_id").annotate(
        n=Count("pk"), p=Sum("prompt_tokens"), c=Sum("completion_tokens")
    )
    return {row["key_id"]: (row["n"], row["p"] + row["c"]) for row in by_key}


def _own_rules(key: ApiKey) -> list[str]:
    policy: Policy | None = getattr(key, "policy", None)
    return rules(EffectivePolicy([policy])) if policy else []


@contextmanager
def alone(user: User) -> Iterator[None]:
    """Nobody else makes or rotates a key of that person meanwhile."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        yield


def has_room(user: User) -> bool:
    return ApiKey.objects.owned_by(user).active().count() < MAX_ACTIVE
