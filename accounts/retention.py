"""What is summed up, and what is forgotten, day by day."""

from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import TruncDate

from .idempotency import forget_old
from .models import PromptRecord, QuotaWindow, UsageDay, UsageRecord
from .models.usage import RUNNING
from .quota.windows import Period

ANSWERED = ("stop", "length", "cancelled")
WINDOWS_KEPT = timedelta(days=62)  # longer than any period
GROUP = ("owner", "key_label", "model")


def tidy(now: datetime) -> dict[str, int]:
    """Sum up the days that are over, and delete what is older than its retention.

    Returns how many rows of each kind were deleted. May be run at any time, and again.
    """
    sum_up(now)
    days, today = settings.CONFIG.retention, Period.DAY.start(now)  # no half days are left
    old_usage = UsageRecord.objects.filter(at__lt=today - timedelta(days=days.usage_days))
    old_prompts = PromptRecord.objects.filter(at__lt=today - timedelta(days=days.prompt_days))
    old_windows = QuotaWindow.objects.filter(starts_at__lt=now - WINDOWS_KEPT)
    deleted = {
        "usage records": old_usage.exclude(status=RUNNING),
        "prompts": old_prompts,
        "quota windows": old_windows.exclude(period=Period.RUNNING),
    }
    counts = {name: rows.delete()[0] for name, rows in deleted.items()}
    return {**counts, "answers for Idempotency-Key": forget_old(now)}


def sum_up(now: datetime) -> None:
    """Write the sums of every day that is over and has none yet, or has records again."""
    today = now.date()
    first = UsageRecord.objects.order_by("at").values_list("at", flat=True).first()
    last = UsageDay.objects.order_by("-day").values_list("day", flat=True).first()
    if first is None:
        return
    # The last day once more: a request of its last minute may have ended since.
    day = max(first.date(), last) if last else first.date()
    while day < today:
        _sum_up_day(day)
        day += timedelta(days=1)


@transaction.atomic
def _sum_up_day(day: date) -> None:
    UsageDay.objects.filter(day=day).delete()
    UsageDay.objects.bulk_create(UsageDay(day=day, **sums) for sums in _sums(day))


def _sums(day: date) -> Any:
    records = UsageRecord.objects.annotate(day=TruncDate("at")).filter(day=day)
    return (
        records.order_by()
        .values(*GROUP)
        .annotate(
            user_id=Max("user_id"),
            requests=Count("pk"),
            failures=Count("pk", filter=~Q(status__in=ANSWERED)),
            **{name: Sum(name) for name in ("prompt_tokens", "cached_tokens", "completion_tokens")},
        )
    )
