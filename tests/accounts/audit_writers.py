"""Writers of the audit log at the same time; run as a program, in a new database.

DATABASE_URL=postgres://… python -m tests.accounts.audit_writers
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

NUM_WRITERS, NUM_EACH = 8, 20

# What one database or the other would keep in its own way.
AWKWARD = {"float": 1e16, "small": 1.5e-7, "zero": -0.0, "text": "é🙂\0", "z": [{}], "a": None}


def write_at_once() -> None:
    """Every writer has a connection of its own, and every second entry a change beside it."""
    barrier = Barrier(NUM_WRITERS)
    with ThreadPoolExecutor(NUM_WRITERS) as threads:
        list(threads.map(_write, [barrier] * NUM_WRITERS, range(NUM_WRITERS)))


def _write(barrier: Barrier, writer: int) -> None:
    from django.contrib.auth.models import Group
    from django.db import connection, transaction

    from accounts import audit

    barrier.wait()
    try:
        for number in range(NUM_EACH // 2):
            audit.record("policy.changed", f"policy:{writer}", after={**AWKWARD, "n": number})
            with transaction.atomic():
                Group.objects.create(name=f"{writer}-{number}")  # its signal writes the entry
    finally:
        connection.close()


def main() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from accounts import audit
    from accounts.models import AuditEntry

    write_at_once()
    numbers = AuditEntry.objects.order_by("number").values_list("number", flat=True)
    print(json.dumps({"numbers": list(numbers), "broken": str(audit.verify())}))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmsite.settings")
    main()
