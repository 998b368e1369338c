"""The audit log: a chain of entries, each of which vouches for the one before it.

An entry's hash is the SHA-256 of a canonical JSON of what it says and of the hash
before it. Whoever appends holds the row of the head, so that the chain neither forks
nor has gaps, and the entry is part of the transaction, if any, that changes what it is about.
"""

import getpass
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import CharField
from django.http import HttpRequest
from django.utils import timezone

from accounts.addresses import client_address
from accounts.models import AuditEntry, AuditHead, User
from accounts.models.user import LOCAL

from .context import current_request
from .facts import clean_text, facts, instant

NO_HASH = "0" * 64  # what the first entry follows
CHUNK = 1000  # entries in memory while the chain is walked

Values = Mapping[str, Any]


class AuditError(Exception):
    """Nothing can be appended to the log."""


def record(
    action: str,
    target: str = "",
    *,
    before: Values | None = None,
    after: Values | None = None,
    actor: User | None = None,
    actor_name: str = "",
) -> AuditEntry:
    """Append an entry; actor, address and request id are the current request's unless given.

    Fields with the name of a secret are left out of `before` and `after`.

    Raises:
        AuditError: entries are there, but the head that counts them is gone.
    """
    request = current_request()
    if actor is None and not actor_name:
        actor, actor_name = _actor_of(request)
    entry = AuditEntry(
        action=_fitting("action", action),
        actor_id=actor.pk if actor else None,
        actor_name=_fitting("actor_name", actor_name or str(actor)),
        target=_fitting("target", target),
        before=None if before is None else facts(before),
        after=None if after is None else facts(after),
        address=_fitting("address", client_address(request) if request else ""),
        request_id=_fitting("request_id", getattr(request, "request_id", "")),
    )
    _append(entry)
    return entry


def diff(before: Values, after: Values) -> tuple[dict[str, Any], dict[str, Any]]:
    """What has changed, as it was and as it is."""
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in changed}, {name: after.get(name) for name in changed}


def content_of(entry: AuditEntry) -> dict[str, Any]:
    """All that the hash covers. The link to the actor is not: it goes when the person goes."""
    return {
        "number": entry.number,
        "at": instant(entry.at) if entry.at else None,
        "action": entry.action,
        "actor_name": entry.actor_name,
        "target": entry.target,
        "before": entry.before,
        "after": entry.after,
        "address": entry.address,
        "request_id": entry.request_id,
        "previous_hash": entry.previous_hash,
    }


def hash_of(entry: AuditEntry) -> str:
    canonical = json.dumps(content_of(entry), sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()


def export_line(entry: AuditEntry) -> str:
    """The entry as a line of JSON: what the hash covers, and the hash."""
    return json.dumps({**content_of(entry), "hash": entry.hash}, sort_keys=True) + "\n"


def _append(entry: AuditEntry) -> None:
    # No savepoint: whoever swallows a failure here cannot commit the change without its entry.
    with transaction.atomic(savepoint=False):
        head = _locked_head()
        entry.at = timezone.now()
        entry.number, entry.previous_hash = head.number + 1, head.hash
        entry.hash = hash_of(entry)
        entry.save(force_insert=True)
        head.number, head.hash = entry.number, entry.hash
        head.save(update_fields=["number", "hash"])


def _locked_head() -> AuditHead:
    """The one row that writers queue for, until their transaction ends."""
    locked = AuditHead.objects.select_for_update()
    head, is_new = locked.get_or_create(pk=1, defaults={"hash": NO_HASH})
    if is_new and AuditEntry.objects.exists():
        raise AuditError("The audit log has entries but no head; see `manage.py verify_audit`.")
    return head


def _fitting(column: str, text: str) -> str:
    """Cut before it is hashed: PostgreSQL refuses what is too long, SQLite does not."""
    field = AuditEntry._meta.get_field(column)
    assert isinstance(field, CharField)
    return clean_text(text)[: field.max_length]


def _actor_of(request: HttpRequest | None) -> tuple[User | None, str]:
    if request is None:
        return None, _name_outside()
    who = getattr(request, "user", None)
    # An API view puts its caller there, who has a person or only a name.
    person = who if isinstance(who, User) else getattr(who, "user", None)
    if isinstance(person, User):
        return person, person.get_username()
    if getattr(who, "is_authenticated", False):
        return None, str(who)
    return (None, "anonymous") if settings.CONFIG.security.enable_auth else _everybody()


def _everybody() -> tuple[User | None, str]:
    """Not by `local()`, which makes them: that is recorded too."""
    return User.objects.filter(username=LOCAL).first(), LOCAL


def _name_outside() -> str:
    """A command runs on the main thread; what the server does by itself runs on others."""
    if threading.current_thread() is not threading.main_thread():
        return "system"
    try:
        return f"command {getpass.getuser()}"
    except (KeyError, OSError):  # a container may run as a number without a name
        return "command"


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place where the chain does not hold."""

    number: int
    reason: str
    action: str = ""
    at: datetime | None = None

    def __str__(self) -> str:
        known = f" ({self.action}, {instant(self.at)})" if self.at else ""
        return f"entry {self.number}{known} {self.reason}"


def verify() -> Broken | None:
    """Walk the whole chain, in constant memory; None if it is intact. Writers may go on."""
    walk = _Walk()
    while True:
        head = AuditHead.objects.filter(pk=1).first() or AuditHead(hash=NO_HASH)
        start = walk.number  # what this head counts is there by now
        later = AuditEntry.objects.filter(number__gt=start).order_by("number")
        for entry in later.iterator(CHUNK):
            if broken := walk.try_step(entry):
                return broken
        if head.number >= walk.number or walk.number == start:
            return walk.try_end(head)


class _Walk:
    """The last entry that holds."""

    def __init__(self) -> None:
        self.number, self.hash = 0, NO_HASH

    def try_step(self, entry: AuditEntry) -> Broken | None:
        if entry.number != self.number + 1:
            return Broken(self.number + 1, "is missing.")
        if entry.hash != hash_of(entry):
            return Broken(entry.number, "has been altered.", entry.action, entry.at)
        if entry.previous_hash != self.hash:
            reason = f"does not follow entry {self.number}: one of the two has been replaced."
            return Broken(entry.number, reason, entry.action, entry.at)
        self.number, self.hash = entry.number, entry.hash
        return None

    def try_end(self, head: AuditHead) -> Broken | None:
        if head.number > self.number:
            return Broken(self.number + 1, f"is missing: the head counts {head.number}.")
        if head.number < self.number:
            return Broken(head.number + 1, f"is beyond the head, which counts {head.number}.")
        if head.hash != self.hash:
            return Broken(self.number, "is not the one that the head names.")
        return None
