"""Which rule would deny a request: asked before anybody makes it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import accounting
from accounts.accounting import Spent
from accounts.callers import policy_of
from accounts.explanation import Question, explain
from accounts.models import ApiKey, Policy, QuotaWindow, UsageRecord, User
from accounts.quota.base import Demand
from tests.accounts.site import configured

NOON = datetime(2026, 5, 31, 12, 0, 30, tzinfo=UTC)
ASKED = Question("chat", "qwen", "10.0.0.1", prompt_tokens=10, max_tokens=1)


@pytest.fixture(autouse=True)
def site(settings, monkeypatch):
    configured(settings, limits={"default_rate_limit_per_minute": 0})
    monkeypatch.setattr(timezone, "now", lambda: NOON)


@pytest.fixture
def key(alice) -> ApiKey:
    return ApiKey.objects.issue(alice, "laptop")[0]


def findings(key, question=ASKED, now=NOON):
    return [*explain(key, question, now)]


def denials(key, question=ASKED, now=NOON):
    return [finding.text for finding in findings(key, question, now) if not finding.passes]


def begin(key):
    """A request of ten tokens."""
    facts = {"owner": "alice", "user": key.user, "key": key, "model": "m", "endpoint": "chat"}
    return accounting.begin(facts, policy_of(key.user, key).quotas, Demand(10, 10), NOON)[0]


def use(key, num_tokens):
    accounting.finish(begin(key).uid, "stop", Spent(completion_tokens=num_tokens))


# What passes


def test_without_rules_everything_passes_and_is_said(key):
    assert [finding.text for finding in findings(key)] == [
        f"key {key} is active",
        "no policy has expired",
        "address 10.0.0.1 is allowed",
        "endpoint chat is allowed",
        "model qwen is allowed",
        "a prompt of 10 tokens is allowed",
    ]
    assert denials(key) == []


def test_what_is_not_asked_is_not_answered(key, alice):
    Policy.objects.create(
        user=alice,
        allowed_models=["llama"],
        allowed_endpoints=["models"],
        allowed_addresses=["192.0.2.1"],
        max_prompt_tokens=0,
    )
    assert [finding.text for finding in findings(key, Question())] == [
        f"key {key} is active",
        "no policy has expired",
    ]


def test_rules_that_pass_say_their_numbers_and_whose_they_are(key, alice):
    Policy.objects.create(key=key, requests_per_minute=9, max_output_tokens=99)
    Policy.objects.create(user=alice, requests_per_minute=90, max_output_tokens=77)
    texts = [finding.text for finding in findings(key, Question())]
    assert texts[2:] == [
        f"9 requests a minute (rule requests_per_minute of key {key})",
        "90 requests a minute (rule requests_per_minute of user alice)",
        "an answer ends after 77 tokens (rule max_output_tokens of user alice)",
    ]


# What does not


def test_a_revoked_key_is_named(key):
    key.revoke()
    assert denials(key) == [f"The API key {key.shown} was revoked."]


def test_an_expired_key_is_named(key):
    key.expires_at = NOON
    assert denials(key) == [f"The API key {key.shown} expired at 2026-05-31 12:00 UTC."]


def test_an_inactive_account_is_named(key):
    User.objects.update(is_active=False)
    key = ApiKey.objects.select_related("user").get()
    assert denials(key) == [f"The account of the API key {key.shown} is not active."]


@pytest.mark.parametrize(
    ("rule", "value", "said"),
    [
        ("expires_at", NOON, "Access ended at 2026-05-31 12:00 UTC"),
        ("allowed_addresses", ["192.0.2.0/24"], "The address 10.0.0.1 may not use this service"),
        ("allowed_endpoints", ["models"], "The endpoint 'chat' is not allowed"),
        ("allowed_models", ["llama*"], "The model 'qwen' is not allowed"),
        ("max_prompt_tokens", 9, "messages: its number of tokens is 10, and 9 is the most"),
    ],
)
@pytest.mark.parametrize("kind", ["key", "user", "group"])
def test_each_denial_names_its_rule_and_whose_it_is(key, alice, kind, rule, value, said):
    team = Group.objects.create(name="team")
    alice.groups.add(team)
    subject = {"key": key, "user": alice, "group": team}[kind]
    Policy.objects.create(**{kind: subject, rule: value})
    assert denials(key) == [f"{said} (rule {rule} of {kind} {subject})."]


def test_all_denials_are_named_and_not_the_first_alone(key, alice):
    key.revoke()
    Policy.objects.create(key=key, allowed_models=["llama"], allowed_endpoints=["models"])
    Policy.objects.create(user=alice, expires_at=NOON, tokens_per_day=1)
    rules = ["revoked", "expires_at", "allowed_endpoints", "allowed_models", "tokens_per_day"]
    texts = denials(key)
    assert len(texts) == len(rules)
    assert all(rule in text for rule, text in zip(rules, texts, strict=True))


def test_rules_of_others_deny_nothing(key, alice, bob):
    other, _ = ApiKey.objects.issue(alice, "phone")
    Policy.objects.create(key=other, allowed_models=["llama"])
    Policy.objects.create(user=bob, expires_at=NOON)
    assert denials(key) == []


def test_a_policy_that_ends_later_denies_later(key):
    end = NOON + timedelta(hours=1)
    Policy.objects.create(key=key, expires_at=end)
    assert denials(key) == []
    assert len(denials(key, now=end)) == 1


# Quotas


@pytest.mark.django_db(transaction=True)
def test_a_quota_says_how_much_of_it_is_taken(key, store):
    Policy.objects.create(key=key, tokens_per_day=100, max_running=4)
    use(key, 30)
    begin(key)
    begin(key)
    texts = [finding.text for finding in findings(key, Question())]
    assert texts[2:] == [
        f"50 of 100 tokens a day are taken (rule tokens_per_day of key {key})",
        f"2 of 4 requests at once are taken (rule max_running of key {key})",
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("rule", "limit", "said"),
    [
        (
            "tokens_per_minute",
            25,
            "The request needs 11 tokens, and 5 of the 25 of this minute are free"
            " (rule {}). Running requests hold 20: try again when they have ended.",
        ),
        (
            "tokens_per_day",
            30,
            "The request needs 11 tokens, and 10 of the 30 of this day are free"
            " (rule {}). Running requests hold 20: try again when they have ended.",
        ),
        (
            "tokens_per_month",
            20,
            "The request needs 11 tokens, and 0 of the 20 of this month are free"
            " (rule {}). Running requests hold 20: try again when they have ended.",
        ),
        (
            "max_running",
            2,
            "2 requests run at once, which is the limit (rule {}). It lifts when one of them ends.",
        ),
    ],
)
def test_a_quota_that_is_taken_says_when_it_is_free(key, store, rule, limit, said):
    Policy.objects.create(key=key, **{rule: limit})
    begin(key)
    begin(key)
    assert denials(key) == [said.format(f"{rule} of key {key}")]


@pytest.mark.parametrize(
    ("prompt_tokens", "max_tokens", "num_denials"),
    [(0, 0, 0), (99, 0, 0), (100, 0, 1), (40, 60, 0), (40, 61, 1)],
)
def test_a_request_needs_its_prompt_and_what_was_asked_for(
    key, prompt_tokens, max_tokens, num_denials
):
    Policy.objects.create(key=key, tokens_per_day=100)
    question = Question(prompt_tokens=prompt_tokens, max_tokens=max_tokens)
    assert len(denials(key, question)) == num_denials


def test_what_was_asked_for_is_cut_to_what_an_answer_may_have(key):
    Policy.objects.create(key=key, tokens_per_day=100, max_output_tokens=60)
    assert denials(key, Question(prompt_tokens=40, max_tokens=61)) == []
    assert len(denials(key, Question(prompt_tokens=41, max_tokens=61))) == 1


def test_what_can_never_fit_says_so(key):
    Policy.objects.create(key=key, tokens_per_day=5)
    assert denials(key) == [
        f"The request needs 11 tokens, more than the 5 of a day (rule tokens_per_day of key {key})."
    ]


def test_what_a_person_has_used_before_there_was_a_quota_counts(key):
    use(key, 95)
    Policy.objects.create(key=key, tokens_per_day=100)
    assert "5 of the 100 of this day are free" in denials(key)[0]


# Asking changes nothing


def test_the_database_is_only_read(key, alice):
    use(key, 30)
    Policy.objects.create(key=key, tokens_per_day=10, max_running=1, tokens_per_minute=90)
    Policy.objects.create(user=alice, tokens_per_month=1000)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        findings(key)
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"] * len(queries)
    assert not QuotaWindow.objects.exists()
    assert UsageRecord.objects.count() == 1
    key.refresh_from_db()
    assert key.last_used_at is None


@pytest.mark.django_db(transaction=True)
def test_redis_is_only_read(key, settings, redis_url):
    settings.REDIS_URL = redis_url
    redis = accounting.quotas_store()._redis
    Policy.objects.create(key=key, tokens_per_day=10, max_running=1)
    findings(key)
    assert redis.dbsize() == 0


@pytest.mark.django_db(transaction=True)
def test_asking_again_says_the_same(key, store):
    Policy.objects.create(key=key, tokens_per_day=100, max_running=1)
    use(key, 30)
    assert [findings(key) for _ in range(20)] == [findings(key)] * 20


# Answers that are computed alone


def test_an_answer_that_is_computed_alone_is_told_its_class(key):
    asked = replace(ASKED, deterministic=True)
    said = "deterministic answers are served as"
    assert f"{said} background" in [finding.text for finding in findings(key, asked)]

    Policy.objects.create(key=key, deterministic=True)
    assert f"{said} default" in [finding.text for finding in findings(key, asked)]


def test_an_answer_that_is_computed_alone_is_denied_by_its_rule(key):
    Policy.objects.create(key=key, deterministic=False)
    assert denials(key) == []
    said = f"Deterministic answers are not allowed (rule deterministic of key {key})."
    assert denials(key, replace(ASKED, deterministic=True)) == [said]
