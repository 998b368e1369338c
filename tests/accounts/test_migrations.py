"""Rows that are there when the service is updated."""

import uuid

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

BEFORE, AFTER = [("accounts", "0002_accounts")], [("accounts", "0003_key_lineage")]


def migrate(targets):
    """To there; the models as they are then."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return executor.loader.project_state(targets).apps.get_model


@pytest.fixture
def old(transactional_db):
    """The models before keys had a lineage."""
    yield migrate(BEFORE)
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.fixture
def laptop(old):
    """Three keys, the first two rotated to the next, and a key beside them."""
    alice = old("accounts", "User").objects.create(username="alice")
    made = []
    for prefix in ("cccccccc", "bbbbbbbb", "aaaaaaaa", "zzzzzzzz"):
        last = made[-1] if made and prefix != "zzzzzzzz" else None
        key = old("accounts", "ApiKey")(user=alice, name="laptop", prefix=prefix, digest="x")
        key.replaced_by = last
        key.save()
        made.append(key)
    third, second, first, other = made
    return first, second, third, other


def answer(old, owner, key, status):
    facts = {"fingerprint": "f", "holder": uuid.uuid4(), "status": status}
    old("accounts", "IdempotentAnswer").objects.create(owner=owner, key=key, **facts)


def test_a_chain_of_rotations_shares_a_lineage(laptop):
    new = migrate(AFTER)
    *chain, other = [new("accounts", "ApiKey").objects.get(pk=key.pk).lineage for key in laptop]
    assert len({*chain}) == 1
    assert other not in chain


def test_answers_stay_their_keys_and_the_later_key_wins(old, laptop):
    first, second, third, other = (f"key:{key.pk}" for key in laptop)
    for owner, key, status in [
        *((first, "only", 201), (first, "both", 202), (second, "both", 203)),
        *((third, "last", 204), (other, "only", 205), ("user:7", "only", 206)),
    ]:
        answer(old, owner, key, status)
    new = migrate(AFTER)
    lineages = [new("accounts", "ApiKey").objects.get(pk=key.pk).lineage.hex for key in laptop]
    answers = new("accounts", "IdempotentAnswer").objects

    def kept(owner):
        return dict(answers.filter(owner=owner).values_list("key", "status"))

    assert kept(f"key:{lineages[0]}") == {"only": 201, "both": 203, "last": 204}
    assert kept(f"key:{lineages[3]}") == {"only": 205}
    assert kept("user:7") == {"only": 206}


def test_counters_of_keys_start_from_the_ledger_and_others_stay(old, laptop):
    for subject in (f"key:{laptop[0].pk}", "user:7"):
        window = {"period": "day", "starts_at": timezone.now(), "used": 5}
        old("accounts", "QuotaWindow").objects.create(subject=subject, **window)
    new = migrate(AFTER)
    assert [w.subject for w in new("accounts", "QuotaWindow").objects.all()] == ["user:7"]
