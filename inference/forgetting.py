"""What engines keep of people's conversations, when it has to go: with its people, and in time.

An engine that has some of it in memory lets it go within a minute, whichever process it is of.
"""

import logging
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from accounts.callers import owner_of
from accounts.models import User
from inference.engine import SNAPSHOTS, expire_snapshots, forget_snapshots

logger = logging.getLogger(__name__)


def snapshots() -> Path:
    return Path(settings.DATA_DIR) / SNAPSHOTS


@receiver(post_delete, sender=User)
def forget_person(instance: User, **kwargs: Any) -> None:
    """Once it is sure that the account is deleted."""
    transaction.on_commit(partial(forget_owner, owner_of(instance)))


def forget_owner(owner: str) -> None:
    """Their snapshots go; if the disk does not let them, with their age."""
    try:
        forget_snapshots(snapshots(), owner)
    except OSError:
        logger.exception("snapshots could not be deleted", extra={"owner": owner})


def forget_old(now: datetime) -> dict[str, int]:
    """Delete the snapshots of any model that are too old, loaded or not; how many those were."""
    days = settings.CONFIG.models.snapshot_days
    if not days:
        return {"snapshots": 0}
    return {"snapshots": expire_snapshots(snapshots(), (now - timedelta(days=days)).timestamp())}
