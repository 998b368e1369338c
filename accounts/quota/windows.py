"""Periods that tokens and requests are counted in. Pure: time is passed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Self

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Period(StrEnum):
    """`RUNNING` counts requests while they run; the others tokens, from their start (UTC)."""

    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"
    RUNNING = "running"

    def start(self, now: datetime) -> datetime:
        now = now.astimezone(UTC)
        match self:
            case Period.MINUTE:
                return now.replace(second=0, microsecond=0)
            case Period.DAY:
                return now.replace(hour=0, minute=0, second=0, microsecond=0)
            case Period.MONTH:
                return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            case Period.RUNNING:
                return EPOCH

    def end(self, now: datetime) -> datetime | None:
        """When it starts anew; None for what does not."""
        start = self.start(now)
        match self:
            case Period.MINUTE:
                return start + timedelta(minutes=1)
            case Period.DAY:
                return start + timedelta(days=1)
            case Period.MONTH:
                return (start + timedelta(days=32)).replace(day=1)
            case Period.RUNNING:
                return None


class Window(NamedTuple):
    """What is counted together: one subject in one period."""

    subject: str
    period: Period
    starts_at: datetime

    def plain(self) -> list[str | int]:
        """For JSON; the start in seconds since 1970."""
        return [self.subject, self.period.value, int(self.starts_at.timestamp())]

    @classmethod
    def from_plain(cls, items: Sequence[Any]) -> Self:
        subject, period, seconds = items
        return cls(subject, Period(period), datetime.fromtimestamp(seconds, UTC))


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit of tokens in a period, or of requests at once; `rule` and `level` for people."""

    subject: str
    period: Period
    limit: int
    rule: str
    level: str

    def window(self, now: datetime) -> Window:
        return Window(self.subject, self.period, self.period.start(now))
