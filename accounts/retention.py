"""What is summed up, and what is forgotten, day by day."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max, Q, Sum

from .idempotency import forget_old
from .models import PromptRecord, QuotaWindow, UsageDay, UsageRecord
from .models.usage import NO_FAILURES, RUNNING, UsageQuerySet
from .quota.windows import Period

DAY = timedelta(days=1)
WINDOWS_KEPT = timedelta(days=62)  # longer than any period
GROUP = ("owner", "key_label", "model")

# What other apps forget; each says how many rows of what, as `tidy` does.
TIDIERS: list[Callable[[datetime], dict[str, int]]] = []


def tidy(now: datetime) -> dict[str, int]:
    """Sum up the days that are over, and delete what is older than its retention.

    Returns how many rows of each kind were deleted. May be run at any time, and again.
    """
    days, today = settings.CONFIG.retention, Period.DAY.start(now)  # no half days are left
    oldest = today - timedelta(days=days.usage_days)
    sum_up(now, oldest)
    old_usage = UsageRecord.objects.filter(at__lt=oldest)
    old_prompts = PromptRecord.objects.filter(at__lt=today - timedelta(days=days.prompt_days))
    old_windows = QuotaWindow.objects.filter(starts_at__lt=now - WINDOWS_KEPT)
    deleted = {
        "usage records": old_usage.exclude(status=RUNNING),
        "prompts": old_prompts,
        "quota windows": old_windows.exclude(period=Period.RUNNING),
    }
    counts = {name: rows.delete()[0] for name, rows in deleted.items()}
    counts["answers for Idempotency-Key"] = forget_old(now)
    for forget in TIDIERS:
        counts |= forget(now)
    return counts


def sum_up(now: datetime, oldest: datetime) -> None:
    """Write the sums of every day that is over and has none yet, and of the last once more:
    a request of its last minute may have ended since. But not of one before `oldest`, whose
    records may be gone.
    """
    first = UsageRecord.objects.order_by("at").values_list("at", flat=True).first()
    last = UsageDay.objects.order_by("-day").values_list("day", flat=True).first()
    if first is None:
        return
    day = Period.DAY.start(first)
    if last:
        again = datetime.combine(last, time(), UTC)
        day = max(day, again if again >= oldest else again + DAY)
    while day < Period.DAY.start(now):
        _sum_up_day(day)
        day += DAY


@transaction.atomic
def _sum_up_day(start: datetime) -> None:
    day = start.date()
    UsageDay.objects.filter(day=day).delete()
    sums = _sums(UsageRecord.objects.between(start, start + DAY))
    UsageDay.objects.bulk_create(UsageDay(day=day, **row) for row in sums)


def _sums(records: UsageQuerySet) -> Any:
    return (
        records.order_by()
        .values(*GROUP)
        .annotate(
            user_id=Max("user_id"),
            requests=Count("pk"),
            failures=Count("pk", filter=~Q(status__in=NO_FAILURES)),
            **{name: Sum(name) for name in ("prompt_tokens", "cached_tokens", "completion_tokens")},
        )
    )
