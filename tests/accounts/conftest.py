"""Alice, Bob and Charlie, and the stores of quotas."""

import pytest
import redis

from accounts import accounting
from accounts.models import User
from tests.environment import REDIS


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
    server = redis.Redis.from_url(REDIS, socket_connect_timeout=2)
    try:
        server.flushdb()
    except redis.RedisError as error:
        pytest.skip(f"NO REDIS at {REDIS}, so quotas in it were not tested: {error}")
    yield REDIS
    server.flushdb()
    server.close()


@pytest.fixture(params=["database", "redis"])
def store(request, settings):
    """Quotas in the database, and in Redis."""
    is_redis = request.param == "redis"
    settings.REDIS_URL = request.getfixturevalue("redis_url") if is_redis else None
    return accounting.quotas_store()
