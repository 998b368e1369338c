"""`manage.py export_audit`: the audit log as JSON lines."""

import os
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError

from accounts import audit
from accounts.audit.facts import instant
from accounts.models import AuditEntry


class Command(BaseCommand):
    help = "Write the audit log as JSON lines, oldest entry first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since", type=_time, help="such as 2025-01-31 or 2025-01-31T12:00+02:00; UTC"
        )
        parser.add_argument("--output", help="a new file, readable by its owner only")

    def handle(
        self, *args: Any, since: datetime | None, output: str | None, **options: Any
    ) -> None:
        with _created(output) if output else nullcontext(self.stdout) as file:
            after = {"since": since and instant(since), "output": output}
            last = audit.record("audit.exported", after=after)  # the export's own last line
            for entry in _entries(since, last.number):
                file.write(audit.export_line(entry))


def _created(path: str) -> TextIO:
    try:
        return open(path, "x", encoding="utf-8", opener=_private)
    except FileExistsError:
        raise CommandError(f"{path} exists; it is not overwritten.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date such as 2025-01-31.") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _entries(since: datetime | None, last: int) -> Iterator[AuditEntry]:
    entries = AuditEntry.objects.filter(number__lte=last).order_by("number")
    return (entries.filter(at__gte=since) if since else entries).iterator(audit.CHUNK)
