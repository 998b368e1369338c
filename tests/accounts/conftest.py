"""Alice, Bob and Charlie, and the stores of quotas."""

import os

import pytest
import redis

from accounts import accounting
from accounts.models import User

REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")


@pytest.fixture
def alice(db) -> User:
    return User.objects.create_user("alice", "alice@example.org", "a-long-password")


@pytest.fixture
def bob(db) -> User:
    """Of Alice's team, where a test makes one."""
    return User.objects.create_user("bob", "bob@example.org", "a-long-password")


@pytest.fixture
def charlie(db) -> User:
    """A stranger to both."""
    return User.objects.create_user("charlie", "charlie@example.org", "a-long-password")


@pytest.fixture
def redis_url():
    """A Redis of the test's own; what it holds is gone afterwards."""
    server = redis.Redis.from_url(REDIS_URL, socket_connect_timeout=2)
    try:
        server.flushdb()
    except redis.RedisError as error:
        pytest.skip(f"NO REDIS at {REDIS_URL}, so quotas in it were not tested: {error}")
    yield REDIS_URL
    server.flushdb()
    server.close()


@pytest.fixture(params=["database", "redis"])
def store(request, settings):
    """Quotas in the database, and in Redis."""
    is_redis = request.param == "redis"
    settings.REDIS_URL = request.getfixturevalue("redis_url") if is_redis else None
    return accounting.quotas_store()
