"""What has to hold on real servers too: parts of this suite again, on PostgreSQL and Redis."""

import os
import subprocess
import sys

import psycopg
import pytest
import redis

from tests.conftest import ROOT
from tests.environment import POSTGRES, REDIS

# Where rows are locked, counted, claimed or chained.
PARTS = [
    "tests/accounts/test_quota.py",
    "tests/accounts/test_books.py",
    "tests/accounts/test_idempotency.py",
    "tests/accounts/test_lineage.py",
    "tests/accounts/test_migrations.py",
    "tests/accounts/test_audit.py",
    "tests/accounts/test_retention.py",
    "tests/accounts/test_reports.py",
    "tests/accounts/test_my_keys.py",
    "tests/api/test_policies.py",
    "tests/chat/test_turns.py",
    "tests/chat/test_socket.py",
    "tests/chat/test_search.py",
    "tests/chat/test_exchange.py",
    "tests/chat/test_library.py",
    "tests/chat/test_sharing.py",
]


@pytest.fixture
def servers():
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
        redis.Redis.from_url(REDIS, socket_connect_timeout=3).ping()
    except (psycopg.OperationalError, redis.RedisError) as error:
        pytest.skip(f"NO SERVERS, so nothing was tested on PostgreSQL and Redis: {error}")
    return {"TEST_DATABASE_URL": POSTGRES, "TEST_REDIS_URL": REDIS}


@pytest.mark.timeout(1800)
@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="the suite itself runs there")
def test_accounts_hold_on_postgresql_and_redis(servers):
    # By itself, whoever runs this test: it has that worker's Redis.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *PARTS]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**environment, **servers},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    assert "skipped" not in done.stdout.splitlines()[-1]
