"""Quotas counted in the database, in the transaction that writes the ledger.

In SQL and not through the ORM, which would take four times as long: this is on the
way of every request.
"""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from accounts.models import QuotaWindow

from .base import Count, Demand, Hold, QuotaStore, granted, used_before
from .windows import Period, Quota, Window

TABLE = QuotaWindow._meta.db_table
SOME = "(subject, period, starts_at) IN (VALUES {rows})"
READ = f"SELECT id, subject, period, used, reserved FROM {TABLE} WHERE {SOME} ORDER BY id"  # noqa: S608
ADD = f"""
UPDATE {TABLE} SET
  reserved = reserved + CASE period WHEN '{Period.RUNNING}' THEN %s ELSE %s END,
  used = used + CASE period WHEN '{Period.RUNNING}' THEN 0 ELSE %s END
WHERE id IN ({{ids}})
"""  # noqa: S608  # constants of ours; values are parameters


class Row(NamedTuple):
    id: int
    used: int
    reserved: int


# One request has one window for each subject and period.
Rows = Mapping[tuple[str, str], Row]


class DatabaseQuotas(QuotaStore):
    """Rows are locked in one order by everybody; SQLite locks the whole file anyway."""

    def transaction(self) -> AbstractContextManager[Any]:
        return transaction.atomic()

    def reserve(
        self,
        uid: uuid.UUID,
        holder: uuid.UUID,
        quotas: Sequence[Quota],
        demand: Demand,
        now: datetime,
    ) -> tuple[Hold, list[Count]]:
        if not quotas:
            return Hold(uid, holder, demand.most, []), []
        windows = [quota.window(now) for quota in quotas]
        rows = _opened(windows)
        counts = _counts(quotas, rows)
        tokens = granted(counts, demand, now)
        _add(rows, requests=1, tokens=tokens, used=0)
        return Hold(uid, holder, tokens, windows), [count.with_held(tokens) for count in counts]

    def settle(self, hold: Hold, used: int) -> None:
        if hold.windows:
            rows = _read(hold.windows, lock=True)
            _add(rows, requests=-1, tokens=-hold.tokens, used=used)

    def counts(self, quotas: Sequence[Quota], now: datetime) -> list[Count]:
        windows = [quota.window(now) for quota in quotas]
        found = _read(windows) if windows else {}
        missing = {_key(w): Row(0, used_before(w), 0) for w in windows if _key(w) not in found}
        return _counts(quotas, {**found, **missing})


def _key(window: Window | Quota) -> tuple[str, str]:
    return window.subject, str(window.period)


def _counts(quotas: Sequence[Quota], rows: Rows) -> list[Count]:
    return [Count(quota, rows[_key(quota)].used, rows[_key(quota)].reserved) for quota in quotas]


def _opened(windows: Sequence[Window]) -> Rows:
    rows = _read(windows, lock=True)
    missing = sorted(window for window in windows if _key(window) not in rows)
    if missing:
        made = [QuotaWindow(**window._asdict(), used=used_before(window)) for window in missing]
        QuotaWindow.objects.bulk_create(made, ignore_conflicts=True)
        rows = _read(windows, lock=True)
    return rows


def _read(windows: Sequence[Window], *, lock: bool = False) -> Rows:
    adapt = connection.ops.adapt_datetimefield_value
    values = [v for w in windows for v in (w.subject, str(w.period), adapt(w.starts_at))]
    sql = READ.format(rows=", ".join(["(%s, %s, %s)"] * len(windows)))
    if lock and connection.features.has_select_for_update:
        sql += " FOR UPDATE"
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return {(row[1], row[2]): Row(row[0], row[3], row[4]) for row in cursor.fetchall()}


def _add(rows: Rows, *, requests: int, tokens: int, used: int) -> None:
    if not rows:
        return
    ids = [row.id for row in rows.values()]
    values: list[Any] = [requests, tokens, used, *ids]
    with connection.cursor() as cursor:
        cursor.execute(ADD.format(ids=", ".join(["%s"] * len(ids))), values)
