"""Many writers at the same time leave one chain without a gap, in SQLite and in PostgreSQL."""

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from accounts import audit
from accounts.models import AuditEntry

from .audit_writers import NUM_EACH, NUM_WRITERS, write_at_once

ROOT = Path(__file__).resolve().parent.parent.parent
SERVER = "postgres://root@127.0.0.1:5432"
ALL = list(range(1, NUM_WRITERS * NUM_EACH + 1))


@pytest.fixture
def new_database():
    """The address of an empty PostgreSQL database, dropped afterwards."""
    try:
        server = psycopg.connect(f"{SERVER}/test", autocommit=True, connect_timeout=2)
    except psycopg.OperationalError as error:
        pytest.skip(f"NO POSTGRESQL at {SERVER}, so the audit log was not tested in it: {error}")
    name = f"audit_{uuid4().hex}"
    with server:
        server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        yield f"{SERVER}/{name}"
        server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def test_writers_of_one_sqlite_file_leave_one_chain(transactional_db):
    write_at_once()

    assert list(AuditEntry.objects.order_by("number").values_list("number", flat=True)) == ALL
    assert audit.verify() is None


def test_writers_of_one_postgresql_leave_one_chain(new_database, tmp_path):
    environment = {
        **os.environ,
        "DATABASE_URL": new_database,
        "DJANGO_SETTINGS_MODULE": "llmsite.settings",
        "LLMSITE_DATA_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.accounts.audit_writers"],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])

    assert found["numbers"] == ALL
    assert found["broken"] == "None"
