"""From admission to the ledger: every request is counted once, whatever becomes of it.

A request's row in the ledger is written when it is admitted, and holds its share of
the quotas until it is finished. What a process that has died held is freed once its
lease has run out.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from .models import Lease, UsageRecord
from .models.usage import LOST, RUNNING
from .quota.base import Count, Demand, Hold, QuotaStore
from .quota.database import DatabaseQuotas
from .quota.redis import RedisQuotas
from .quota.windows import Period, Quota, Window

logger = logging.getLogger(__name__)

HOLDER = uuid.uuid4()  # this process
LEASE = timedelta(seconds=60)
RENEW_SECONDS = 20.0


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


NOTHING = Spent()

_beginning: set[uuid.UUID] = set()  # requests whose row this process is about to write


class _Last:
    renewed_at = datetime.min.replace(tzinfo=UTC)


_last = _Last()


def quotas_store() -> QuotaStore:
    """Redis where there is one, as there must be for more than one machine; else the database."""
    return _store(settings.REDIS_URL)


@cache
def _store(redis_url: str | None) -> QuotaStore:
    return RedisQuotas(redis_url) if redis_url else DatabaseQuotas()


def begin(
    facts: dict[str, Any], quotas: Sequence[Quota], demand: Demand, now: datetime | None = None
) -> tuple[Hold, list[Count]]:
    """Reserve, and write the request's row, which has `facts` (columns of UsageRecord).

    Raises:
        LimitReached, Exceeds: a quota refuses; nothing is written.
    """
    now = now or timezone.now()
    renew_in_time(now)
    store, uid, hold = quotas_store(), uuid.uuid4(), None
    _beginning.add(uid)
    try:
        with transaction.atomic():
            hold, counts = store.reserve(uid, HOLDER, quotas, demand, now)
            _write(hold, facts, now)
    except BaseException:
        if hold:
            store.release(hold)
        raise
    finally:
        _beginning.discard(uid)
    return hold, counts


def _write(hold: Hold, facts: dict[str, Any], now: datetime) -> None:
    windows = [window.plain() for window in hold.windows]
    UsageRecord.objects.create(
        uid=hold.uid, at=now, holder=hold.holder, reserved=hold.tokens, claims=windows, **facts
    )


def finish(uid: uuid.UUID, status: str, spent: Spent = NOTHING) -> bool:
    """Settle the request and complete its row; False if that was done before.

    One that was given up for lost, and ends after all, is counted then.
    """
    with transaction.atomic():
        rows = UsageRecord.objects.filter(uid=uid)
        record = rows.select_for_update().values(*HELD).first()
        if record is None or record["status"] not in (RUNNING, LOST) or record["status"] == status:
            return False
        quotas_store().settle(_hold(uid, **record), spent.total_tokens)
        # One that is lost keeps its claims: a late end settles in the same windows.
        done: dict[str, Any] = {} if status == LOST else {"claims": [], "holder": None}
        rows.update(status=status, reserved=0, **done, **asdict(spent))
    return True


HELD = ("status", "reserved", "claims", "holder")


def _hold(uid: uuid.UUID, status: str, reserved: int, claims: Any, holder: Any) -> Hold:
    windows = [Window.from_plain(claim) for claim in claims]
    if status == LOST:  # its hold is gone; only what it used is still to be counted
        windows = [window for window in windows if window.period is not Period.RUNNING]
    return Hold(uid, holder or HOLDER, reserved, windows)


# Leases


def keep(now: datetime | None = None) -> None:
    """To be called every RENEW_SECONDS: stay alive, and free what the dead have left."""
    now = now or timezone.now()
    renew(now)
    settle_leftovers(HOLDER)
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


def settle_leftovers(holder: uuid.UUID) -> None:
    """Settle what the store still holds for requests that have ended in the ledger.

    And for those that never got there: the store's answer was lost, or their process died.
    """
    store = quotas_store()
    for hold in store.held(holder):
        is_beginning = hold.uid in _beginning  # asked before the row is looked for
        record = UsageRecord.objects.filter(uid=hold.uid).first()
        if record is None and not is_beginning:
            store.settle(hold, 0)
        elif record and record.status != RUNNING:
            store.settle(hold, record.total_tokens)
