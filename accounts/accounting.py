"""From admission to the ledger: every request is counted once, whatever becomes of it.

A request's row in the ledger is written when it is admitted, and holds its share of
the quotas until it is finished. What a process that has died held is freed once its
lease has run out.
"""

import logging
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from .books import Books
from .ledger import Ledger, PostgresLedger, Spent
from .models import Lease, UsageRecord
from .models.usage import LOST, RUNNING
from .postgres_books import PostgresBooks
from .quota.base import Count, Demand, Hold, QuotaStore
from .quota.database import DatabaseQuotas
from .quota.redis import RedisQuotas
from .quota.windows import Quota

logger = logging.getLogger(__name__)

HOLDER = uuid.uuid4()  # this process
LEASE = timedelta(seconds=60)
RENEW_SECONDS = 20.0


NOTHING = Spent()

_ours: set[uuid.UUID] = set()  # requests that this process has begun and not finished


class _Last:
    renewed_at = datetime.min.replace(tzinfo=UTC)


_last = _Last()


def quotas_store() -> QuotaStore:
    """Redis where there is one, as there must be for more than one machine; else the database."""
    return _store(settings.REDIS_URL)


@cache
def _store(redis_url: str | None) -> QuotaStore:
    return RedisQuotas(redis_url) if redis_url else DatabaseQuotas()


def _books() -> Books:
    store = quotas_store()
    if connection.vendor != "postgresql":
        return Books(store, Ledger())
    together = isinstance(store, DatabaseQuotas)
    return (PostgresBooks if together else Books)(store, PostgresLedger())


def begin(
    facts: dict[str, Any], quotas: Sequence[Quota], demand: Demand, now: datetime | None = None
) -> tuple[Hold, list[Count]]:
    """Reserve, and write the request's row, which has `facts` (columns of UsageRecord).

    Raises:
        LimitReached, Exceeds: a quota refuses; nothing is written.
    """
    now = now or timezone.now()
    renew_in_time(now)
    record = UsageRecord(uid=uuid.uuid4(), at=now, holder=HOLDER, **facts)
    _ours.add(record.uid)
    try:
        return _books().open(record, quotas, demand)
    except BaseException:
        _ours.discard(record.uid)
        raise


def finish(uid: uuid.UUID, status: str, spent: Spent = NOTHING) -> bool:
    """Settle the request and complete its row; False if that was done before.

    One that was given up for lost, and ends after all, is counted then.
    """
    is_first = _books().close(uid, status, spent)
    _ours.discard(uid)
    return is_first


# Leases


def keep(now: datetime | None = None) -> None:
    """To be called every RENEW_SECONDS: stay alive, and free what the dead have left."""
    now = now or timezone.now()
    renew(now)
    settle_leftovers(HOLDER)
    give_up_forgotten()
    sweep(now)


def renew_in_time(now: datetime) -> None:
    """To be called before anything is held."""
    if now - _last.renewed_at > timedelta(seconds=RENEW_SECONDS):
        renew(now)


def renew(now: datetime) -> None:
    _last.renewed_at = now
    Lease.objects.update_or_create(holder=HOLDER, defaults={"expires_at": now + LEASE})


def sweep(now: datetime) -> int:
    """Free what processes held whose lease has run out; how many requests that were."""
    alive = Lease.objects.filter(expires_at__gt=now).values("holder")
    dead = [*Lease.objects.exclude(expires_at__gt=now).exclude(holder=HOLDER)]
    running = UsageRecord.objects.filter(status=RUNNING).exclude(holder__in=alive)
    running = running.exclude(holder=HOLDER)
    num_lost = sum(finish(uid, LOST) for uid in running.values_list("uid", flat=True))
    for lease in dead:
        settle_leftovers(lease.holder)
        lease.delete()
    if num_lost:
        logger.warning("requests of a dead process were given up", extra={"requests": num_lost})
    return num_lost


def give_up_forgotten() -> None:
    """Free what this process holds by the ledger alone.

    A PostgreSQL that has crashed may know less of what it was told last than we do:
    that a request has ended.
    """
    mine = UsageRecord.objects.filter(status=RUNNING, holder=HOLDER)
    for uid in [*mine.values_list("uid", flat=True)]:
        if uid not in _ours:  # asked after the row was read: begun ones are in it before
            finish(uid, LOST)


def settle_leftovers(holder: uuid.UUID) -> None:
    """Settle what the store still holds for requests that have ended in the ledger.

    And for those that never got there: the store's answer was lost, or their process died.
    """
    store = quotas_store()
    for hold in store.held(holder):
        is_beginning = hold.uid in _ours  # asked before the row is looked for
        record = UsageRecord.objects.filter(uid=hold.uid).first()
        if record is None and not is_beginning:
            store.settle(hold, 0)
        elif record and record.status != RUNNING:
            store.settle(hold, record.total_tokens)
