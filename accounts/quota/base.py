"""The contract of quota stores: reserve at admission, settle at the end, never overshoot."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.errors import Exceeds, LimitReached, QuotaExhausted, Refusal
from accounts.models import UsageRecord

from .windows import Period, Quota, Window


@dataclass(frozen=True, slots=True)
class Count:
    """How much of a quota is used and held."""

    quota: Quota
    used: int
    reserved: int

    @property
    def free(self) -> int:
        return self.quota.limit - self.used - self.reserved

    def with_held(self, tokens: int) -> "Count":
        """With what one request more has reserved."""
        more = 1 if self.quota.period is Period.RUNNING else tokens
        return Count(self.quota, self.used, self.reserved + more)


@dataclass(frozen=True, slots=True)
class Demand:
    """Tokens a request asks for: it starts with `least`, and can use up to `most`."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Hold:
    """What a running request holds: tokens in some windows, and itself in others."""

    uid: uuid.UUID
    holder: uuid.UUID
    tokens: int
    windows: Sequence[Window]


class QuotaStore(ABC):
    """Where windows are counted. Counting starts from the ledger, which is the truth.

    `reserve` and `settle` are to be called in `transaction()`.
    """

    def transaction(self) -> AbstractContextManager[Any]:
        """What makes counters and ledger change together, where one database has both."""
        return nullcontext()

    @abstractmethod
    def reserve(
        self,
        uid: uuid.UUID,
        holder: uuid.UUID,
        quotas: Sequence[Quota],
        demand: Demand,
        now: datetime,
    ) -> tuple[Hold, list[Count]]:
        """Hold as much of the demand as all quotas have, in one atomic step.

        Returns the hold and the quotas' counts with it.

        Raises:
            LimitReached: one has less than the least; nothing is held.
            Exceeds: the least is more than one ever has.
        """

    @abstractmethod
    def settle(self, hold: Hold, used: int) -> None:
        """Put `used` tokens in the hold's place. Once for each hold."""

    def release(self, hold: Hold) -> None:
        """Undo a reservation whose transaction was rolled back."""
        return

    @abstractmethod
    def counts(self, quotas: Sequence[Quota], now: datetime) -> list[Count]:
        """Where the quotas stand; nothing is counted."""

    def held(self, holder: uuid.UUID) -> list[Hold]:
        """What is held besides the running records of the ledger."""
        return []


def used_before(window: Window) -> int:
    """Tokens of the ledger in that window: where a new count starts."""
    end = window.period.end(window.starts_at)
    if end is None:
        return 0
    records = UsageRecord.objects.of_subject(window.subject).between(window.starts_at, end)
    return records.num_tokens()


def granted(counts: Sequence[Count], demand: Demand, now: datetime) -> int:
    """As much of the demand as is free everywhere.

    Raises:
        Exceeds, LimitReached: as `QuotaStore.reserve` does.
    """
    grant = demand.most
    for count in counts:
        is_tokens = count.quota.period is not Period.RUNNING
        least = demand.least if is_tokens else 1
        if count.free < least:
            raise refusal(count, least, now)
        if is_tokens:
            grant = min(grant, count.free)
    return grant


def refusal(count: Count, least: int, now: datetime) -> Refusal:
    """Why that much is not free, and when it will be."""
    quota = count.quota
    rule = f"(rule {quota.rule} of {quota.level})"
    if quota.period is Period.RUNNING:
        text = f"{quota.limit} requests run at once, which is the limit {rule}."
        return _reached(count, f"{text} It lifts when one of them ends.")
    if least > quota.limit:
        text = f"The request needs {least} tokens, more than the {quota.limit} of a {quota.period}"
        return Exceeds(f"{text} {rule}.", rule=quota.rule, level=quota.level)
    text = (
        f"The request needs {least} tokens, and {max(0, count.free)} of the {quota.limit}"
        f" of this {quota.period} are free {rule}."
    )
    if least <= quota.limit - count.used:
        held = f"Running requests hold {count.reserved}: try again when they have ended."
        return _reached(count, f"{text} {held}")
    resets_at = quota.period.end(now)
    kind = LimitReached if quota.period is Period.MINUTE else QuotaExhausted
    return _reached(
        count, f"{text} It starts anew at {resets_at:%Y-%m-%d %H:%M} UTC.", kind, resets_at
    )


def _reached(
    count: Count,
    text: str,
    kind: type[LimitReached] = LimitReached,
    resets_at: datetime | None = None,
) -> LimitReached:
    return kind(
        text,
        rule=count.quota.rule,
        level=count.quota.level,
        limit=count.quota.limit,
        resets_at=resets_at,
        remaining=max(0, count.free),
    )
