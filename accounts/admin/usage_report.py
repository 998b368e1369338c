"""Usage as charts: by day, by model and by person."""

from typing import Any

from django.core.exceptions import BadRequest
from django.db.models.functions import Coalesce

from accounts import reports
from accounts.charts import Bar, Sums, humanised
from accounts.models import UsageDay, UsageRecord

STRETCHES = (7, 30, 90)  # days
USUAL = 30
MOST_BARS = 15


def asked_days(text: str) -> int:
    """
    Raises:
        BadRequest: it is none of STRETCHES.
    """
    days = {str(days): days for days in STRETCHES}.get(text)
    if days is None:
        raise BadRequest(f"days: {text!r} is none of {', '.join(map(str, STRETCHES))}.")
    return days


def usage_report(days: int) -> dict[str, Any]:
    """What the page shows of the last `days` days."""
    start = reports.start_of(days)
    name = Coalesce("user__username", "owner")
    records = UsageRecord.objects.filter(at__gte=start).annotate(caller=name)
    past = UsageDay.objects.filter(day__gte=start.date()).annotate(caller=name)
    chart = reports.chart_by_day(records, days, past=past)
    first_token = reports.median_seconds_to_first_token(records)
    return {
        "days": days,
        "stretches": STRETCHES,
        "chart": chart,
        "figures": _figures(chart.total, first_token),
        "by_model": longest(reports.sums_by(records, "model", past=past)),
        "by_caller": longest(reports.sums_by(records, "caller", past=past)),
    }


def _figures(total: Sums, first_token: float | None) -> list[tuple[str, str]]:
    seconds = "–" if first_token is None else f"{first_token:.2f} s"
    numbers = {
        "Requests": total.requests,
        "Failed": total.failures,
        "Prompt tokens": total.prompt_tokens,
        "of them cached": total.cached_tokens,
        "Answer tokens": total.completion_tokens,
    }
    texts = [(name, humanised(number)) for name, number in numbers.items()]
    return [*texts, ("First token (median)", seconds)]


def longest(bars: list[Bar], most: int = MOST_BARS) -> list[Bar]:
    """The first of them, and the others as one."""
    shown, others = bars[:most], bars[most:]
    if not others:
        return shown
    rest = Bar(f"{len(others)} others", sum((bar.sums for bar in others), Sums()), 0)
    most_tokens = max(shown[0].sums.tokens, rest.sums.tokens)
    return [bar._replace(longest=most_tokens) for bar in (*shown, rest)]
