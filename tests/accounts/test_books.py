"""Counters and ledger together: what they cost in statements, and what they survive."""

import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from accounts import accounting
from accounts.accounting import Spent
from accounts.errors import LimitReached
from accounts.models import QuotaWindow, UsageRecord
from accounts.quota.base import Demand
from accounts.quota.windows import Period, Quota

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 5, 31, 12, 0, 30, tzinfo=UTC)
KEY = f"key:{uuid.UUID(int=1).hex}"
FACTS = {"owner": "somebody", "model": "m", "endpoint": "chat"}
QUOTAS = [
    Quota(subject, period, 1000, f"rule of {period}", subject)
    for subject in (KEY, "user:1", "group:1")
    for period in Period
]
# With those of the transaction; on a server each is a round trip.
NUM_STATEMENTS = {"sqlite": (5, 6), "postgresql": (1, 1)}[connection.vendor]


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch):
    monkeypatch.setattr(accounting, "HOLDER", uuid.uuid4())
    monkeypatch.setattr(accounting, "_last", accounting._Last())


def begin(least=10, most=10):
    return accounting.begin(FACTS, QUOTAS, Demand(least, most), NOON)


def finish(hold, status="stop"):
    return accounting.finish(hold.uid, status, Spent(completion_tokens=7))


def state(store):
    return {(count.used, count.reserved) for count in store.counts(QUOTAS, NOON)}


def test_a_request_takes_few_statements(settings):
    settings.REDIS_URL = None
    finish(begin()[0])  # opens the windows

    with CaptureQueriesContext(connection) as beginning:
        hold, _ = begin()
    with CaptureQueriesContext(connection) as ending:
        finish(hold)

    assert (len(beginning), len(ending)) == NUM_STATEMENTS


def test_redis_is_called_once_to_reserve_and_once_to_settle(settings, redis_url, monkeypatch):
    settings.REDIS_URL = redis_url
    client = accounting.quotas_store()._redis
    finish(begin()[0])
    call, calls = client.execute_command, []

    def counted(*args, **options):
        calls.append(args[0])
        return call(*args, **options)

    monkeypatch.setattr(client, "execute_command", counted)

    finish(begin()[0])

    assert calls == ["EVALSHA", "EVALSHA"]


def test_who_begins_is_told_what_is_counted_then(store):
    finish(begin()[0])
    begin(most=100)
    _, counts = begin(most=2000)
    assert counts == store.counts(QUOTAS, NOON)
    assert {(count.used, count.reserved) for count in counts} == {(7, 993), (0, 2)}


def test_a_row_holds_what_its_request_does(store):
    hold, _ = begin(most=300)
    row = UsageRecord.objects.get()
    assert (row.uid, row.at, row.holder, row.reserved) == (hold.uid, NOON, hold.holder, 300)
    assert row.claims == [window.plain() for window in hold.windows]
    finish(hold)
    row.refresh_from_db()
    assert (row.holder, row.reserved, row.claims, row.completion_tokens) == (None, 0, [], 7)


def test_a_refusal_leaves_neither_row_nor_reservation(store):
    begin(most=1000)
    with pytest.raises(LimitReached):
        begin()
    assert UsageRecord.objects.count() == 1
    assert state(store) == {(0, 1000), (0, 1)}


def test_an_end_that_the_database_has_forgotten_is_given_up(settings):
    settings.REDIS_URL = None
    hold, _ = begin()
    running = UsageRecord.objects.values("status", "reserved", "claims", "holder").get()
    finish(hold)
    tokens = QuotaWindow.objects.exclude(period=Period.RUNNING)
    UsageRecord.objects.update(**running, completion_tokens=0)
    tokens.update(used=0, reserved=F("reserved") + 10)
    QuotaWindow.objects.filter(period=Period.RUNNING).update(reserved=1)

    accounting.keep(NOON)

    assert state(accounting.quotas_store()) == {(0, 0)}
    assert UsageRecord.objects.get().status == "lost"


def test_what_this_process_runs_is_not_given_up(store):
    begin()
    accounting.keep(NOON)
    assert state(store) == {(0, 10), (0, 1)}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only there is it a choice")
def test_everybody_else_waits_for_the_disk_of_postgresql(store):
    finish(begin()[0])
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)
