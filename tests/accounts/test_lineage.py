"""A rotated key goes on counting where the one before it stands."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from accounts import accounting
from accounts.accounting import Spent
from accounts.callers import caller_of
from accounts.errors import LimitReached
from accounts.models import ApiKey, Policy, UsageRecord
from accounts.policy import QUOTAS
from accounts.quota.base import Demand

DAY = timedelta(days=1)
NOON = datetime(2026, 5, 31, 12, 0, 30, tzinfo=UTC)
TOKENS = sorted(set(QUOTAS) - {"max_running"})

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch):
    monkeypatch.setattr(accounting, "HOLDER", uuid.uuid4())
    monkeypatch.setattr(accounting, "_last", accounting._Last())


@pytest.fixture
def laptop(alice):
    return ApiKey.objects.issue(alice, "laptop")[0]


def begin(key, tokens=10):
    caller = caller_of(key.user, key)
    facts = {"user": key.user, "key": key, "owner": "alice", "model": "m", "endpoint": "chat"}
    return accounting.begin(facts, caller.policy.quotas, Demand(tokens, tokens), NOON)[0]


def use(key, tokens):
    accounting.finish(begin(key, tokens).uid, "stop", Spent(completion_tokens=tokens))


def test_every_key_that_is_made_counts_for_itself(alice, laptop):
    phone, _ = ApiKey.objects.issue(alice, "phone")
    assert phone.subject != laptop.subject


def test_a_key_and_all_that_come_of_it_are_one_subject(alice, laptop):
    second, _ = laptop.rotate(DAY)
    third, _ = second.rotate(DAY)
    subjects = {caller_of(alice, key).subject for key in (laptop, second, third)}
    assert subjects == {laptop.subject}


@pytest.mark.parametrize("rule", TOKENS)
def test_what_a_key_has_used_is_used_for_its_successor(store, laptop, rule):
    Policy.objects.create(key=laptop, **{rule: 100})
    use(laptop, 95)
    new, _ = laptop.rotate(DAY)
    with pytest.raises(LimitReached, match="5 of the 100"):
        begin(new, 10)


def test_what_a_key_runs_takes_its_successors_places_and_the_other_way_round(store, laptop):
    Policy.objects.create(key=laptop, max_running=1)
    hold = begin(laptop)
    new, _ = laptop.rotate(DAY)
    with pytest.raises(LimitReached, match="max_running"):
        begin(new)
    accounting.finish(hold.uid, "stop")
    begin(new)
    with pytest.raises(LimitReached, match="max_running"):
        begin(laptop)


def test_a_quota_that_a_rotated_key_is_given_knows_the_past_of_all_before_it(store, laptop):
    use(laptop, 60)
    second, _ = laptop.rotate(DAY)
    use(second, 35)
    third, _ = second.rotate(DAY)
    Policy.objects.create(key=third, tokens_per_day=100)
    with pytest.raises(LimitReached, match="5 of the 100"):
        begin(third, 10)


def test_the_ledger_of_a_subject_is_no_other_keys(alice, laptop):
    phone, _ = ApiKey.objects.issue(alice, "phone")
    use(laptop, 5)
    use(phone, 7)
    records = UsageRecord.objects.of_subject(phone.rotate(DAY)[0].subject)
    assert [record.key for record in records] == [phone]
