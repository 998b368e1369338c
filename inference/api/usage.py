"""What a caller has used, and how much of each quota is left."""

from typing import Any

from django.conf import settings
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import accounting, reports
from accounts.authentication import caller
from accounts.callers import Caller
from accounts.models import UsageRecord
from accounts.models.usage import NO_FAILURES, TOKENS

from .endpoint import Endpoint
from .openapi.answers import UsageReport
from .openapi.operation import operation
from .refusals import ApiError

MAX_DAYS = 366


class UsageView(Endpoint):
    """`GET /v1/usage?days=30`: by day (UTC) and model; of the key that asks, and no other.

    The keys that it was rotated from are the same key.
    """

    endpoint = "usage"

    @operation(
        "What the key has used, and where its quotas stand",
        query={"days": {"type": "integer", "minimum": 1, "maximum": MAX_DAYS, "default": 30}},
        answer=UsageReport,
    )
    def get(self, request: Request) -> Response:
        asker, days = caller(request), _days(request)
        rows = [*_by_day(UsageRecord.objects.of_subject(asker.subject), days)]
        return Response(
            {
                "object": "usage",
                "days": days,
                "data": rows,
                "total": {
                    name: sum(row[name] for row in rows)
                    for name in ("requests", "failures", *TOKENS)
                },
                "quotas": _quotas(asker),
            }
        )


def _days(request: Request) -> int:
    text = request.query_params.get("days", "30")
    most = min(MAX_DAYS, settings.CONFIG.retention.usage_days)  # of older days records are gone
    if (days := reports.num_days(text, most)) is None:
        raise ApiError(f"days: {text[:20]!r} is not a number from 1 to {most}", param="days")
    return days


def _by_day(records: Any, days: int) -> Any:
    return (
        records.filter(at__gte=reports.start_of(days))
        .order_by()
        .annotate(date=TruncDate("at"))
        .values("date", "model")
        .annotate(
            requests=Count("pk"),
            failures=Count("pk", filter=~Q(status__in=NO_FAILURES)),
            **{name: Sum(name) for name in TOKENS},
        )
        .order_by("date", "model")
    )


def _quotas(asker: Caller) -> list[dict[str, Any]]:
    now = timezone.now()
    counts = accounting.quotas_store().counts(asker.policy.quotas, now)
    return [
        {
            "rule": count.quota.rule,
            "level": count.quota.level,
            "limit": count.quota.limit,
            "used": count.used,
            "reserved": count.reserved,
            "remaining": max(0, count.free),
            "resets_at": count.quota.period.end(now),
        }
        for count in counts
    ]
