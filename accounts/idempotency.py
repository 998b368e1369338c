"""Who computes the answer to an `Idempotency-Key`: a row decides, for all server processes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from .accounting import HOLDER, renew_in_time
from .models import IdempotentAnswer, Lease


class KeyReused(Exception):
    """The caller has used the key before, for another request."""


class RunningElsewhere(Exception):
    """Another server process is computing the answer."""


def claim(owner: str, key: str, fingerprint: str, now: datetime | None = None) -> IdempotentAnswer:
    """The key's row: without a status the answer is ours to compute, else it is finished.

    Not to be asked for what this process is computing: a row of its own without a
    status counts as left over, like one of a process that has died.

    Raises:
        KeyReused, RunningElsewhere: neither ours nor finished.
    """
    now = now or timezone.now()
    renew_in_time(now)
    row, is_new = IdempotentAnswer.objects.get_or_create(
        owner=owner, key=key, defaults={"fingerprint": fingerprint, "holder": HOLDER}
    )
    if is_new:
        return row
    if row.created_at > _oldest(now):
        if row.fingerprint != fingerprint:
            raise KeyReused
        if row.status is not None:
            return row
        if _is_alive_elsewhere(row, now):
            raise RunningElsewhere
    return _taken_over(row, fingerprint, now)


def _oldest(now: datetime) -> datetime:
    return now - timedelta(hours=settings.CONFIG.retention.idempotency_hours)


def _is_alive_elsewhere(row: IdempotentAnswer, now: datetime) -> bool:
    leases = Lease.objects.filter(holder=row.holder, expires_at__gt=now)
    return row.holder != HOLDER and leases.exists()


def _taken_over(row: IdempotentAnswer, fingerprint: str, now: datetime) -> IdempotentAnswer:
    ours = {"fingerprint": fingerprint, "holder": HOLDER, "created_at": now}
    empty: dict[str, Any] = {"status": None, "headers": {}, "body": None}
    if not _unchanged(row).update(**ours, **empty):
        raise RunningElsewhere  # another process was faster
    row.refresh_from_db()
    return row


def _unchanged(row: IdempotentAnswer) -> QuerySet[IdempotentAnswer]:
    """The row, unless somebody has finished it, or taken it over, since it was read."""
    return IdempotentAnswer.objects.filter(
        pk=row.pk, holder=row.holder, created_at=row.created_at, status=row.status
    )


def keep(
    row: IdempotentAnswer, status: int, headers: Mapping[str, str], body: bytes | None
) -> bool:
    """Finish a row of ours; None is a body too large to keep. False if it was taken over."""
    return bool(_unchanged(row).update(status=status, headers=dict(headers), body=body))


def forget(row: IdempotentAnswer) -> None:
    """Give up a row of ours: the next request with the key computes."""
    _unchanged(row).delete()


def forget_old(now: datetime) -> int:
    """Delete what is older than `retention.idempotency_hours`; how many rows that were."""
    return IdempotentAnswer.objects.filter(created_at__lte=_oldest(now)).delete()[0]
