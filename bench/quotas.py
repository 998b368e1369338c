"""What a request pays for its quotas and its row in the ledger: reserve and settle, timed.

    make bench-quotas

Always measures SQLite; PostgreSQL and Redis if `DATABASE_URL` and `REDIS_URL` name
servers that answer. Each store is measured in a process and a database of its own, which
are gone afterwards, as are the keys in Redis.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import django

ROOT = Path(__file__).resolve().parent.parent
NUM_REQUESTS, NUM_WARM_UP = 1000, 100
HEADER = """\
| quotas in | ledger in | windows | p50 ms | p95 ms | p50 ms in a thread |
|---|---|---|---|---|---|"""
LIMITS = dict.fromkeys(
    ("tokens_per_minute", "tokens_per_day", "tokens_per_month", "max_running"), 2**31 - 1
)


def main() -> None:
    print(HEADER, flush=True)
    names = ("DATABASE_URL", "REDIS_URL")
    servers = {name: os.environ[name] for name in names if os.environ.get(name)}
    database = {"DATABASE_URL": servers["DATABASE_URL"]} if "DATABASE_URL" in servers else None
    redis = {"REDIS_URL": servers["REDIS_URL"]} if "REDIS_URL" in servers else None
    measure_apart({})
    if database:
        measure_apart(database)
    if redis:
        measure_apart(redis)
    if database and redis:
        measure_apart({**database, **redis})


def measure_apart(servers: dict[str, str]) -> None:
    """In a process of its own: Django knows one configuration for each."""
    with tempfile.TemporaryDirectory(prefix="llmsite-bench-") as folder:
        apart = {"LLMSITE_DATA_DIR": folder, "LLMSITE_CONFIG": f"{folder}/llmsite.toml"}
        kept = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
        Path(apart["LLMSITE_CONFIG"]).touch()
        done = subprocess.run(
            [sys.executable, __file__, "--here"], env={**kept, **apart, **servers}, check=False
        )
    if done.returncode:
        print(f"not measured: {', '.join(servers)}", file=sys.stderr)


def measure_here() -> None:
    sys.path.insert(0, str(ROOT))
    os.environ["DJANGO_SETTINGS_MODULE"] = "llmsite.settings"
    django.setup()
    with throw_away_database() as vendor, throw_away_store() as store:
        for num_windows in (0, 12):
            request = make_request(num_windows)
            times = timed(request)
            served = asyncio.run(timed_in_thread(request))
            p50, p95 = percentiles(times)
            print(
                f"| {store or vendor} | {vendor} | {num_windows}"
                f" | {p50:.2f} | {p95:.2f} | {percentiles(served)[0]:.2f} |",
                flush=True,
            )


@contextmanager
def throw_away_database() -> Iterator[str]:
    from django.db import connection

    connection.settings_dict["TEST"]["NAME"] = (
        Path(os.environ["LLMSITE_DATA_DIR"]) / "bench.sqlite3"
        if connection.vendor == "sqlite"
        else f"llmsite_bench_{uuid.uuid4().hex[:12]}"
    )
    before = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[connection.vendor]
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)


@contextmanager
def throw_away_store() -> Iterator[str]:
    from django.conf import settings

    from accounts import accounting
    from accounts.quota.redis import RedisQuotas

    if not settings.REDIS_URL:
        yield ""
        return
    prefix = f"llmsite:bench:{uuid.uuid4().hex}:"
    store: Any = RedisQuotas(settings.REDIS_URL, prefix)
    accounting.quotas_store = lambda: store
    try:
        yield "Redis"
    finally:
        for key in store._redis.scan_iter(prefix + "*", 1000):
            store._redis.delete(key)


def make_request(num_windows: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What admits a request of a person with a key and a group, and what ends it."""
    from django.contrib.auth.models import Group

    from accounts import accounting
    from accounts.callers import caller_of
    from accounts.models import ApiKey, Policy, User
    from accounts.quota.base import Demand

    user = User.objects.create_user(f"bench{num_windows}")
    key, _ = ApiKey.objects.issue(user, "bench")
    group = Group.objects.create(name=f"bench{num_windows}")
    user.groups.add(group)
    if num_windows:
        for whose in ({"user": user}, {"key": key}, {"group": group}):
            Policy.objects.create(**whose, **LIMITS)
    quotas = caller_of(user, key).policy.quotas
    assert len(quotas) == num_windows, quotas
    facts = {
        "owner": str(user),
        "user_id": user.pk,
        "key_id": key.pk,
        "key_label": str(key),
        "model": "smollm2-135m-instruct",
        "endpoint": "chat",
        "request_id": "r" * 32,
        "address": "192.0.2.1",
        "client": "OpenAI/Python 2.0.0",
    }
    spent = accounting.Spent(100, 0, 20, 0.1, 0.2, 0.3)
    return (
        lambda: accounting.begin(facts, quotas, Demand(101, 300))[0],
        lambda hold: accounting.finish(hold.uid, "stop", spent),
    )


def timed(request: tuple[Callable[..., Any], Callable[..., Any]]) -> list[float]:
    begin, finish = request
    times = []
    for _ in range(NUM_WARM_UP + NUM_REQUESTS):
        start = time.perf_counter()
        finish(begin())
        times.append(time.perf_counter() - start)
    return times[NUM_WARM_UP:]


async def timed_in_thread(request: tuple[Callable[..., Any], Callable[..., Any]]) -> list[float]:
    """As the server does it: with a change of threads, and a look at the connection."""
    from channels.db import database_sync_to_async
    from django.db import connections

    begin, finish = map(database_sync_to_async, request)
    times = []
    for _ in range(NUM_WARM_UP + NUM_REQUESTS):
        start = time.perf_counter()
        await finish(await begin())
        times.append(time.perf_counter() - start)
    await database_sync_to_async(connections.close_all)()
    return times[NUM_WARM_UP:]


def percentiles(times: list[float]) -> tuple[float, float]:
    cuts = quantiles(times, n=20)
    return cuts[9] * 1000, cuts[18] * 1000


if __name__ == "__main__":
    measure_here() if "--here" in sys.argv else main()
