"""A request's row in the ledger, while it runs: written, and completed once.

In SQL and not through the ORM, like the quotas in the database: this is on the way of
every request.
"""

import json
import uuid
from dataclasses import astuple, dataclass, fields
from typing import Any, NamedTuple

from django.db import connection, transaction

from .models import UsageRecord
from .models.usage import LOST, RUNNING

TABLE = UsageRecord._meta.db_table
FIELDS = [field for field in UsageRecord._meta.concrete_fields if not field.primary_key]
UID = UsageRecord._meta.get_field("uid")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a request has cost: tokens, and seconds."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    queued_seconds: float = 0.0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class Held(NamedTuple):
    """What the row of a request says it holds."""

    status: str
    reserved: int
    claims: list[Any]
    holder: uuid.UUID


INSERT = f"""
INSERT INTO {TABLE} ({", ".join(field.attname for field in FIELDS)})
VALUES ({", ".join(["%s"] * len(FIELDS))})
"""  # noqa: S608  # constants of ours; values are parameters
UNFINISHED = f"""
SELECT id, {", ".join(Held._fields)} FROM {TABLE}
WHERE uid = %s AND status IN ('{RUNNING}', '{LOST}') AND status <> %s
"""  # noqa: S608
# One that is lost keeps its claims: a late end settles in the same windows.
SPENT = [field.name for field in fields(Spent)]
LOSE = f"status = %s, reserved = 0, {', '.join(f'{name} = %s' for name in SPENT)}"
COMPLETE = f"{LOSE}, claims = '[]', holder = NULL"
UPDATE = f"UPDATE {TABLE} SET {{changes}} WHERE id = %s"  # noqa: S608


class Ledger:
    """In any database."""

    def write(self, record: UsageRecord) -> None:
        with connection.cursor() as cursor:
            cursor.execute(INSERT, values_of(record))

    @transaction.atomic(savepoint=False)
    def complete(self, uid: uuid.UUID, status: str, spent: Spent) -> Held | None:
        """What the request held until now; None if it was completed before."""
        with connection.cursor() as cursor:
            cursor.execute(UNFINISHED, [plain_uid(uid), status])
            row = cursor.fetchone()
            if row is None:
                return None
            values = [status, *astuple(spent), row[0]]
            cursor.execute(UPDATE.format(changes=changes(status)), values)
        return _held(*row[1:])


# A crash of PostgreSQL may lose what it has committed in the last fractions of a second,
# as one of this machine may with SQLite (llmsite/settings.py). It loses ledger and
# counters together, so they stay equal; those in Redis may keep what the ledger forgot.
# Waiting for the disk would cost each request more than all else here. Until the end of
# the transaction only.
NO_WAIT = "set_config('synchronous_commit', 'off', true)"
COMPLETING = f"""
before AS ({UNFINISHED} FOR UPDATE),
done AS (
  UPDATE {TABLE} AS record SET {{changes}} FROM before WHERE record.id = before.id
)
"""  # noqa: S608
COMPLETED = f"WITH {COMPLETING} SELECT {', '.join(Held._fields)}, {NO_WAIT} FROM before"  # noqa: S608


class PostgresLedger(Ledger):
    """One statement each, for each is a round trip."""

    def write(self, record: UsageRecord) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"{INSERT} RETURNING {NO_WAIT}", values_of(record))

    def complete(self, uid: uuid.UUID, status: str, spent: Spent) -> Held | None:
        values = [plain_uid(uid), status, status, *astuple(spent)]
        with connection.cursor() as cursor:
            cursor.execute(COMPLETED.format(changes=changes(status)), values)
            row = cursor.fetchone()
        return _held(*row[:-1]) if row else None


def values_of(record: UsageRecord, *, but: str = "") -> list[Any]:
    """The row's columns in the order of FIELDS, as the driver takes them."""
    fields = (field for field in FIELDS if field.name != but)
    return [f.get_db_prep_save(getattr(record, f.attname), connection) for f in fields]


def changes(status: str) -> str:
    return LOSE if status == LOST else COMPLETE


def plain_uid(uid: uuid.UUID) -> Any:
    return UID.get_db_prep_value(uid, connection)


def _held(status: str, reserved: int, claims: str, holder: Any) -> Held:
    """From the columns as drivers return them: SQLite has no type for the last two."""
    owner = holder if isinstance(holder, uuid.UUID) else uuid.UUID(holder)
    return Held(status, reserved, json.loads(claims), owner)
