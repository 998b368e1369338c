"""What is summed up day by day, and what is forgotten."""

import uuid
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import (
    ApiKey,
    IdempotentAnswer,
    PromptRecord,
    QuotaWindow,
    UsageDay,
    UsageRecord,
    User,
)
from accounts.quota.windows import EPOCH
from accounts.retention import tidy
from tests.accounts.site import configured

NOW = datetime(2026, 5, 31, 0, 10, tzinfo=UTC)
TODAY = NOW.replace(minute=0)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
YESTERDAY = TODAY - DAY

TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens")
SUMS = ("requests", "failures", *TOKENS)


@pytest.fixture(autouse=True)
def site(settings, db):
    keep(settings)


def keep(settings, **retention):
    retention = {"usage_days": 40, "prompt_days": 3, "idempotency_hours": 24, **retention}
    configured(settings, retention=retention)


def used(at=YESTERDAY, **columns):
    usual = {"owner": "alice", "model": "qwen", "endpoint": "chat", "status": "stop"}
    tokens = {"prompt_tokens": 10, "cached_tokens": 4, "completion_tokens": 5}
    return UsageRecord.objects.create(uid=uuid.uuid4(), at=at, **{**usual, **tokens, **columns})


def prompt(at):
    return PromptRecord.objects.create(uid=uuid.uuid4(), at=at, owner="a", model="m", prompt="Hi")


def window(starts_at, period="day"):
    return QuotaWindow.objects.create(subject="key:1", period=period, starts_at=starts_at)


def days(*columns):
    return [*UsageDay.objects.order_by("day", "owner", "key_label", "model").values_list(*columns)]


# Sums


def test_a_day_that_is_over_is_summed_up(alice):
    used(user=alice, key_label="laptop")
    used(user=alice, key_label="laptop", completion_tokens=0, status="length")
    tidy(NOW)
    assert UsageDay.objects.values().get() == {
        "id": UsageDay.objects.get().pk,
        "day": YESTERDAY.date(),
        "user_id": alice.pk,
        "owner": "alice",
        "key_label": "laptop",
        "model": "qwen",
        "requests": 2,
        "failures": 0,
        "prompt_tokens": 20,
        "cached_tokens": 8,
        "completion_tokens": 5,
    }


def test_there_is_a_row_for_each_caller_key_and_model():
    for owner in ("alice", "config:ab12cd34"):
        for key_label in ("", "laptop"):
            used(owner=owner, key_label=key_label)
    used(model="llama")
    tidy(NOW)
    assert days("owner", "key_label", "model") == [
        ("alice", "", "llama"),
        ("alice", "", "qwen"),
        ("alice", "laptop", "qwen"),
        ("config:ab12cd34", "", "qwen"),
        ("config:ab12cd34", "laptop", "qwen"),
    ]


@pytest.mark.parametrize(
    ("status", "failures"),
    [
        ("stop", 0),
        ("length", 0),
        ("cancelled", 0),
        ("lost", 1),
        ("engine_died", 1),
        ("context_length_exceeded", 1),
    ],
)
def test_what_was_not_answered_is_a_failure(status, failures):
    used(status=status)
    tidy(NOW)
    assert days("requests", "failures") == [(1, failures)]


def test_today_is_not_summed_up_before_it_is_over():
    used(TODAY)
    used(NOW)
    tidy(NOW)
    assert days("day") == []
    tidy(NOW + DAY)
    assert days("day", "requests") == [(TODAY.date(), 2)]


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (TODAY - TICK, date(2026, 5, 30)),
        (YESTERDAY, date(2026, 5, 30)),
        (YESTERDAY - TICK, date(2026, 5, 29)),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_days_are_utcs_whatever_the_sites_time_is(at, day, zone):
    used(at)
    with timezone.override(zone):
        tidy(timezone.localtime(NOW))
    assert days("day", "requests") == [(day, 1)]


def test_days_without_requests_have_no_rows():
    used(YESTERDAY - 5 * DAY)
    used(YESTERDAY)
    tidy(NOW)
    assert [row[0] for row in days("day")] == [(YESTERDAY - 5 * DAY).date(), YESTERDAY.date()]


def test_without_records_there_is_nothing_to_do():
    assert set(tidy(NOW).values()) == {0}
    assert days("day") == []


def test_doing_it_again_changes_nothing():
    used(YESTERDAY - 2 * DAY)
    used(YESTERDAY, status="lost")
    tidy(NOW)
    before = days("day", *SUMS)
    for hours in (0, 1, 23):
        tidy(NOW + timedelta(hours=hours))
    assert days("day", *SUMS) == before


def test_what_ends_after_the_sum_is_in_the_next_one():
    late = used(TODAY - TICK, status="running", prompt_tokens=0, completion_tokens=0)
    used(YESTERDAY)
    tidy(NOW)
    assert days("requests", "failures", "prompt_tokens") == [(2, 0, 10)]
    UsageRecord.objects.filter(pk=late.pk).update(status="stop", prompt_tokens=100)
    tidy(NOW + DAY)
    assert days("day", "requests", "failures", "prompt_tokens") == [(YESTERDAY.date(), 2, 0, 110)]


def test_days_that_nobody_summed_up_are_made_up_for():
    for number in range(1, 11):
        used(TODAY - number * DAY)
    tidy(NOW - 8 * DAY)
    assert len(days("day")) == 2
    tidy(NOW)
    assert days("requests") == [(1,)] * 10


def test_a_sum_outlives_person_key_and_records(alice):
    key, _ = ApiKey.objects.issue(alice, "laptop")
    used(user=alice, key=key, key_label=str(key))
    tidy(NOW)
    User.objects.get(pk=alice.pk).delete()
    tidy(NOW + DAY)
    tidy(NOW + 100 * DAY)
    assert not UsageRecord.objects.exists()
    assert days("user", "owner", "key_label", "requests") == [(None, "alice", str(key), 1)]


def test_sums_stay_when_their_records_go():
    for number in range(60):
        used(TODAY - number * DAY)
    for number in range(100):
        tidy(NOW + number * DAY)
    assert not UsageRecord.objects.exists()
    assert days("requests", "prompt_tokens") == [(1, 10)] * 60


def test_a_request_that_runs_for_ever_does_not_replace_the_sum_of_its_day():
    used(YESTERDAY)
    used(YESTERDAY, status="running")
    tidy(NOW)
    tidy(NOW + 50 * DAY)
    tidy(NOW + 51 * DAY)
    assert UsageRecord.objects.get().status == "running"
    assert days("requests") == [(2,)]


REQUESTS = st.fixed_dictionaries(
    {
        "at": st.datetimes(
            (TODAY - 6 * DAY).replace(tzinfo=None), NOW.replace(tzinfo=None), timezones=st.just(UTC)
        ),
        "owner": st.sampled_from(["alice", "bob", "config:ab12cd34"]),
        "key_label": st.sampled_from(["", "laptop"]),
        "model": st.sampled_from(["qwen", "llama"]),
        "status": st.sampled_from(["stop", "length", "cancelled", "lost", "engine_died"]),
        **{name: st.integers(0, 100_000) for name in TOKENS},
    }
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests=st.lists(REQUESTS, max_size=12), stops=st.lists(st.integers(0, 6), max_size=3))
def test_sums_are_those_of_the_records_whenever_it_is_run(db, requests, stops):
    UsageRecord.objects.all().delete()
    UsageDay.objects.all().delete()
    for request in requests:
        used(**request)
    for stop in sorted(stops, reverse=True):
        tidy(NOW - stop * DAY)
    tidy(NOW)

    expected = Counter()
    for request in [one for one in requests if one["at"] < TODAY]:
        group = (request["at"].date(), request["owner"], request["key_label"], request["model"])
        is_failure = request["status"] in ("lost", "engine_died")
        expected[*group, "requests"] += 1
        expected[*group, "failures"] += is_failure
        expected.update({(*group, name): request[name] for name in TOKENS})
    summed = {
        (row.day, row.owner, row.key_label, row.model, name): getattr(row, name)
        for row in UsageDay.objects.all()
        for name in SUMS
    }
    assert summed == dict(expected)


# What is forgotten


def test_each_kind_is_kept_as_long_as_its_retention_says():
    for number in range(50):
        used(TODAY - number * DAY)
        prompt(TODAY - number * DAY)
    assert tidy(NOW) == {
        "usage records": 9,
        "prompts": 46,
        "quota windows": 0,
        "answers for Idempotency-Key": 0,
        "receipts": 0,
        "snapshots": 0,
        "deleted conversations": 0,
        "expired sessions": 0,
        "unsent attachments": 0,
    }
    assert UsageRecord.objects.earliest("at").at == TODAY - 40 * DAY
    assert PromptRecord.objects.earliest("at").at == TODAY - 3 * DAY


@pytest.mark.parametrize(
    ("usage_days", "prompt_days", "oldest_usage", "oldest_prompt"),
    [(32, 1, 32, 0), (32, 90, 32, 90), (400, 1, 400, 0), (400, 500, 400, 401)],
)
def test_one_retention_does_not_change_the_other(
    settings, usage_days, prompt_days, oldest_usage, oldest_prompt
):
    keep(settings, usage_days=usage_days, prompt_days=prompt_days)
    for number in (0, 31, 32, 33, 89, 90, 91, 399, 400, 401):
        used(TODAY - number * DAY)
        prompt(TODAY - number * DAY)
    tidy(NOW)
    assert UsageRecord.objects.earliest("at").at == TODAY - oldest_usage * DAY
    assert PromptRecord.objects.earliest("at").at == TODAY - oldest_prompt * DAY


@pytest.mark.parametrize("hour", [0, 1, 12, 23])
def test_no_half_of_a_day_is_left(hour):
    oldest = TODAY - 40 * DAY
    for at in (oldest - TICK, oldest - DAY, oldest, oldest + timedelta(hours=23)):
        used(at)
        prompt(at + 37 * DAY)
    tidy(TODAY + timedelta(hours=hour))
    assert {*UsageRecord.objects.values_list("at", flat=True)} == {
        oldest,
        oldest + timedelta(hours=23),
    }
    assert PromptRecord.objects.count() == 2


def test_records_are_summed_up_before_they_go():
    used(TODAY - 500 * DAY)
    assert tidy(NOW)["usage records"] == 1
    assert days("day", "requests") == [((TODAY - 500 * DAY).date(), 1)]


def test_what_runs_stays():
    used(TODAY - 500 * DAY, status="running")
    assert tidy(NOW)["usage records"] == 0
    assert UsageRecord.objects.get().status == "running"


def test_windows_that_are_over_go_and_those_of_what_runs_stay():
    for number in (0, 31, 61, 63, 500):
        window(TODAY - number * DAY)
    window(EPOCH, "running")
    window(TODAY.replace(day=1), "month")
    assert tidy(NOW)["quota windows"] == 2
    left = {*QuotaWindow.objects.values_list("period", "starts_at")}
    assert left == {
        *(("day", TODAY - number * DAY) for number in (0, 31, 61)),
        ("running", EPOCH),
        ("month", TODAY.replace(day=1)),
    }


def test_answers_for_idempotency_keys_go_after_their_hours():
    for key, hours in (("old", 24), ("new", 23)):
        answer = IdempotentAnswer(owner="a", key=key, fingerprint="f", holder=uuid.uuid4())
        answer.save()
        IdempotentAnswer.objects.filter(pk=answer.pk).update(
            created_at=NOW - timedelta(hours=hours)
        )
    assert tidy(NOW)["answers for Idempotency-Key"] == 1
    assert IdempotentAnswer.objects.get().key == "new"
