"""`manage.py verify_audit`: whether the audit log is as it was written."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import audit
from accounts.models import AuditEntry


class Command(BaseCommand):
    help = "Walk the audit log's chain; name the first altered or missing entry, and exit with 1."

    def handle(self, *args: Any, **options: Any) -> None:
        if broken := audit.verify():
            raise CommandError(str(broken))
        last = AuditEntry.objects.order_by("-number").first()
        num_entries, end = (last.number, f", hash {last.hash}") if last else (0, "")
        self.stdout.write(f"{num_entries} entries, chain intact{end}")
