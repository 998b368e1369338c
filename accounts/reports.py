"""What was used: sums for charts, and rows for spreadsheets. The database does the sums."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from .charts import Bar, Chart, Day, Sums
from .models import UsageDay, UsageRecord
from .models.usage import NO_FAILURES, TOKENS

NAMES = ("requests", "failures", *TOKENS)
ROWS_AT_ONCE = 2000

# A spreadsheet's column: the field that is in it.
COLUMNS = {
    "at": "at",
    "user": "user__username",
    "owner": "owner",
    "key": "key_label",
    **{name: name for name in ("model", "endpoint", "status", *TOKENS)},
    **{name: name for name in ("queued_seconds", "prefill_seconds", "decode_seconds")},
    **{name: name for name in ("request_id", "address", "client")},
}


def num_days(text: str, most: int) -> int | None:
    """How many days somebody asks for; None if that is no number from 1 to `most`."""
    is_short_number = text.isascii() and text.isdigit() and len(text) < 6
    return int(text) if is_short_number and 1 <= int(text) <= most else None


def start_of(days: int, now: datetime | None = None) -> datetime:
    """When the stretch of so many days (UTC) began of which today is the last."""
    today = (now or timezone.now()).astimezone(UTC).date()
    return datetime.combine(today - timedelta(days=days - 1), time(), UTC)


def chart_by_day(
    records: QuerySet[UsageRecord],
    days: int,
    now: datetime | None = None,
    *,
    past: QuerySet[UsageDay] | None = None,
) -> Chart:
    """The last `days` days. `past` has the sums of days whose records are gone."""
    start = start_of(days, now)
    dated = records.filter(at__gte=start).annotate(day=TruncDate("at", tzinfo=UTC))
    recent = None if past is None else past.filter(day__gte=start.date())
    sums = _sums(dated, "day", recent)
    dates = [start.date() + timedelta(days=i) for i in range(days)]
    return Chart([Day(date, sums.get(date, Sums())) for date in dates])


def sums_by(
    records: QuerySet[UsageRecord], field: str, *, past: QuerySet[UsageDay] | None = None
) -> list[Bar]:
    """One bar for each value of a field (or annotation, in `past` too), the longest first."""
    sums = _sums(records, field, past)
    longest = max((one.tokens for one in sums.values()), default=0)
    bars = [Bar(str(label), one, longest) for label, one in sums.items()]
    return sorted(bars, key=lambda bar: (-bar.sums.tokens, -bar.sums.requests, bar.label))


def _sums(
    records: QuerySet[UsageRecord], field: str, past: QuerySet[UsageDay] | None
) -> dict[Any, Sums]:
    """By value of the field. A day is counted from records or from `past`, never from both."""
    requests = Count("pk")
    failures = Count("pk", filter=~Q(status__in=NO_FAILURES))
    tokens = [Sum(name) for name in TOKENS]
    sums = _grouped(records, field, [requests, failures, *tokens])
    if past is not None:
        gone = past.filter(day__lt=_first_kept_day())
        for value, one in _grouped(gone, field, [Sum(name) for name in NAMES]).items():
            sums[value] = sums.get(value, Sums()) + one
    return sums


def _grouped(rows: QuerySet[Any], field: str, aggregates: Sequence[Any]) -> dict[Any, Sums]:
    columns = {f"sum_{name}": one for name, one in zip(NAMES, aggregates, strict=True)}
    groups = rows.order_by().values(field).annotate(**columns)
    return {value: Sums(*numbers) for value, *numbers in groups.values_list(field, *columns)}


def _first_kept_day() -> date:
    at = UsageRecord.objects.order_by("at").values_list("at", flat=True).first()
    return at.astimezone(UTC).date() if at else date.max


def median_seconds_to_first_token(records: QuerySet[UsageRecord]) -> float | None:
    """Of the requests that had an answer; None if none had."""
    answered = records.filter(completion_tokens__gt=0)
    middle = answered.count() // 2
    waited = answered.annotate(waited=F("queued_seconds") + F("prefill_seconds"))
    seconds = waited.order_by("waited").values_list("waited", flat=True)
    return next(iter(seconds[middle : middle + 1]), None)


def csv_rows(
    records: QuerySet[UsageRecord], columns: Sequence[str] = tuple(COLUMNS)
) -> Iterator[str]:
    """Lines of a CSV file, the header first; `columns` are some of COLUMNS."""
    yield _line(columns)
    fields = [COLUMNS[name] for name in columns]
    for row in records.values_list(*fields).iterator(chunk_size=ROWS_AT_ONCE):
        yield _line([_cell(value) for value in row])


def _line(cells: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(value: object) -> object:
    """What a client chose must not run as a formula in the reader's spreadsheet."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds")
        case float():
            return round(value, 3)
        case str() if value.startswith(("=", "+", "-", "@", "\t", "\r")):
            return f"'{value}"
    return value
