"""Counters and ledger in one PostgreSQL: a single statement to begin, and one to end.

What takes a request's time there are round trips and commits. Rows are locked in the
order of their ids, by everybody (`quota/database.py`); whoever has waited for a row goes
on with what it says then.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from django.db import connection

from .books import Books, plain
from .ledger import COMPLETING, FIELDS, NO_WAIT, TABLE, Spent, changes, plain_uid, values_of
from .models import UsageRecord
from .models.usage import LOST
from .quota.base import Count, Demand, Hold, granted
from .quota.database import TABLE as WINDOWS
from .quota.windows import Period, Quota

# An item is as `Window.plain` has it, and to reserve its limit as well.
IS_ITS_ROW = """w.subject = item ->> 0 AND w.period = item ->> 1
  AND w.starts_at = to_timestamp((item ->> 2)::bigint)"""

# `verdict` has a row if all windows exist and have enough: `granted`, in SQL.
OPEN = f"""
WITH locked AS (
  SELECT w.id, w.subject, w.period, w.used, w.reserved,
    (item ->> 3)::bigint - w.used - w.reserved AS free
  FROM jsonb_array_elements(%s::jsonb) AS item JOIN {WINDOWS} AS w ON {IS_ITS_ROW}
  ORDER BY w.id FOR UPDATE OF w
),
verdict AS (
  SELECT LEAST(%s::bigint, min(free) FILTER (WHERE period <> '{Period.RUNNING}')) AS tokens
  FROM locked
  HAVING count(*) = %s
    AND coalesce(bool_and(free >= CASE period WHEN '{Period.RUNNING}' THEN 1 ELSE %s END), true)
),
added AS (
  UPDATE {WINDOWS} AS w
  SET reserved = w.reserved + CASE w.period WHEN '{Period.RUNNING}' THEN 1 ELSE tokens END
  FROM locked, verdict WHERE w.id = locked.id
),
written AS (
  INSERT INTO {TABLE} (reserved, {", ".join(f.attname for f in FIELDS if f.name != "reserved")})
  SELECT tokens, {", ".join(["%s"] * (len(FIELDS) - 1))} FROM verdict
  RETURNING {NO_WAIT}
)
SELECT subject, period, used, reserved, tokens FROM locked LEFT JOIN verdict ON true
"""  # noqa: S608  # constants of ours; values are parameters

# Of a request that was lost only what it used is still to be counted.
CLOSE = f"""
WITH {COMPLETING},
locked AS (
  SELECT w.id
  FROM before, jsonb_array_elements(before.claims) AS item JOIN {WINDOWS} AS w ON {IS_ITS_ROW}
  WHERE before.status <> '{LOST}' OR w.period <> '{Period.RUNNING}'
  ORDER BY w.id FOR UPDATE OF w
),
settled AS (
  UPDATE {WINDOWS} AS w SET
    reserved = w.reserved - CASE w.period WHEN '{Period.RUNNING}' THEN 1 ELSE before.reserved END,
    used = w.used + CASE w.period WHEN '{Period.RUNNING}' THEN 0 ELSE %s END
  FROM before, locked WHERE w.id = locked.id
)
SELECT {NO_WAIT} FROM before
"""  # noqa: S608


class PostgresBooks(Books):
    def open(
        self, record: UsageRecord, quotas: Sequence[Quota], demand: Demand
    ) -> tuple[Hold, list[Count]]:
        assert record.holder is not None
        windows = [quota.window(record.at) for quota in quotas]
        record.claims = plain(windows)
        rows = _opened(record, quotas, demand)
        if len(rows) < len(quotas):  # some windows are not open yet; nothing was written
            return super().open(record, quotas, demand)
        found = {(subject, period): (used, held) for subject, period, used, held, _ in rows}
        counts = [Count(quota, *found[quota.subject, str(quota.period)]) for quota in quotas]
        tokens = rows[0][-1] if rows else demand.most
        if tokens is None:
            granted(counts, demand, record.at)  # raises
        hold = Hold(record.uid, record.holder, tokens, windows)
        return hold, [count.with_held(tokens) for count in counts]

    def close(self, uid: uuid.UUID, status: str, spent: Spent) -> bool:
        values = [plain_uid(uid), status, status, *astuple(spent), spent.total_tokens]
        with connection.cursor() as cursor:
            cursor.execute(CLOSE.format(changes=changes(status)), values)
            return cursor.fetchone() is not None


def _opened(record: UsageRecord, quotas: Sequence[Quota], demand: Demand) -> list[Any]:
    limited = [[*claim, quota.limit] for claim, quota in zip(record.claims, quotas, strict=True)]
    values: list[Any] = [json.dumps(limited), demand.most, len(quotas), demand.least]
    with connection.cursor() as cursor:
        cursor.execute(OPEN, [*values, *values_of(record, but="reserved")])
        return cursor.fetchall()
