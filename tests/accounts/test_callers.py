"""Who a key lets in, and which rules hold for them."""

import hmac
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts import keys
from accounts.callers import BadKey, caller_of, caller_of_key, policy_of
from accounts.models import ApiKey, Policy, User
from accounts.policy import NO_POLICY
from tests.accounts.site import configured

NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)

FIRST = "a-key-of-the-configuration"
SECOND = "another-key-with-an-é"
THIRD = "one-more-of-the-same"


@pytest.fixture(autouse=True)
def site(settings, db):
    configured(settings, security={"api_keys": [FIRST, SECOND, THIRD]})


@pytest.fixture
def laptop(alice) -> tuple[ApiKey, str]:
    """A key of Alice, and its text."""
    return ApiKey.objects.issue(alice, "laptop")


@pytest.fixture
def team(alice, bob) -> Group:
    """Alice's and Bob's, and not Charlie's."""
    group = Group.objects.create(name="team")
    alice.groups.add(group)
    bob.groups.add(group)
    return group


def as_sent(text):
    """As a server hands to Django what is in a header."""
    return text.encode().decode("latin-1")


def refusal(text, now=NOON):
    with pytest.raises(BadKey) as caught:
        caller_of_key(text, now)
    return str(caught.value)


# A key of a person


def test_a_key_lets_its_person_in(laptop, alice):
    key, text = laptop
    caller = caller_of_key(text, NOON)
    assert (caller.user, caller.key) == (alice, key)
    assert (caller.owner, caller.name) == (f"user:{alice.pk}", "alice")
    assert (str(caller), caller.pk, caller.subject) == (caller.owner, caller.owner, key.subject)
    assert caller.key_label == f"laptop ({key.shown})"
    assert caller.is_authenticated
    assert not caller.is_anonymous


def test_all_keys_of_a_person_are_one_owner_and_no_other_persons(alice, bob):
    texts = [ApiKey.objects.issue(user, "laptop")[1] for user in (alice, alice, bob)]
    one, two, bobs = (caller_of_key(text, NOON) for text in texts)
    assert one.owner == two.owner != bobs.owner
    assert one.subject != two.subject


def test_an_administrators_key_is_an_operators(laptop, bob):
    assert not caller_of_key(laptop[1], NOON).is_operator
    bob.is_staff = True
    bob.save()
    assert caller_of_key(ApiKey.objects.issue(bob, "laptop")[1], NOON).is_operator


def test_without_a_key_a_person_is_counted_by_themselves(alice):
    caller = caller_of(alice)
    assert (caller.subject, caller.key, caller.key_label) == (f"user:{alice.pk}", None, "")


# Keys that let nobody in


def test_an_unknown_key_is_not_repeated(laptop):
    _, text = laptop
    guesses = [text[:-1], text[:12] + text[:11:-1], keys.make_key().text, "nonsense", "", "\0"]
    assert {refusal(guess) for guess in guesses} == {"The API key is not valid."}


def test_a_revoked_key_lets_nobody_in_and_says_so(laptop):
    key, text = laptop
    key.revoke()
    assert refusal(text) == f"The API key {key.shown} was revoked."


def test_an_expired_key_lets_nobody_in_and_says_since_when(alice, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    key, text = ApiKey.objects.issue(alice, "laptop", expires_at=NOON)
    assert refusal(text) == f"The API key {key.shown} expired at 2026-05-31 12:00 UTC."


def test_a_key_of_an_inactive_person_lets_nobody_in(laptop, alice):
    key, text = laptop
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert refusal(text) == f"The account of the API key {key.shown} is not active."


def test_a_key_of_a_deleted_person_is_not_known(laptop, alice):
    User.objects.get(pk=alice.pk).delete()
    assert refusal(laptop[1]) == "The API key is not valid."


def test_why_a_key_is_refused_is_told_to_its_holder_alone(laptop):
    key, text = laptop
    key.revoke()
    assert refusal(f"{text[:-3]}abc") == "The API key is not valid."


def test_a_refused_key_was_not_used(laptop):
    key, text = laptop
    key.revoke()
    refusal(text)
    assert ApiKey.objects.get().last_used_at is None


# Keys of the configuration


@pytest.mark.parametrize("text", [FIRST, SECOND, THIRD])
def test_a_key_of_the_configuration_belongs_to_nobody_and_has_no_rules(text):
    caller = caller_of_key(as_sent(text), NOON)
    name = f"config:{sha256(text.encode()).hexdigest()[:8]}"
    assert caller.owner == caller.name == caller.subject == name
    assert (caller.user, caller.key, caller.key_label) == (None, None, "")
    assert caller.policy is NO_POLICY
    assert caller.is_operator


@pytest.mark.parametrize("text", [FIRST[:-1], f"{FIRST}x", FIRST.upper(), f"{FIRST}\0", "試" * 20])
def test_nearly_a_key_of_the_configuration_is_none(text):
    assert refusal(text) == "The API key is not valid."


def test_a_revoked_key_is_refused_though_the_configuration_has_it(laptop, settings):
    key, text = laptop
    configured(settings, security={"api_keys": [text]})
    key.revoke()
    assert "was revoked" in refusal(text)


# The work is the same


def compared(text):
    """The pairs that are compared while that key is looked up."""
    spy = patch.object(hmac, "compare_digest", wraps=hmac.compare_digest)
    with spy as compare, suppress(BadKey):
        caller_of_key(text, NOON)
    return [call.args for call in compare.call_args_list]


@pytest.mark.parametrize("text", [FIRST, SECOND, THIRD, "", "nonsense", f"sk-abcd1234-{'a' * 40}"])
def test_every_key_is_compared_with_whichever_matches(text):
    pairs = compared(as_sent(text))
    assert len(pairs) == 1 + 3
    assert all(len(given) == len(stored) for given, stored in pairs)


def test_a_persons_key_is_compared_with_those_of_the_configuration_too(laptop):
    _, text = laptop
    assert len(compared(text)) == len(compared(f"{text[:-3]}abc")) == 1 + 3


NUM_QUERIES = 2  # the key with its person, and the policies of all levels


@pytest.mark.parametrize("num_others", [0, 60])
def test_however_many_keys_there_are_it_takes_two_queries(
    laptop, bob, team, django_assert_num_queries, num_others
):
    key, text = laptop
    others = [ApiKey.objects.issue(bob, "one of many")[0] for _ in range(num_others)]
    Policy.objects.bulk_create(Policy(key=one, max_running=1) for one in [key, *others])
    Policy.objects.bulk_create([Policy(user=key.user), Policy(group=team)])
    with django_assert_num_queries(NUM_QUERIES + 1):  # its use is noted
        caller_of_key(text, NOON)
    with django_assert_num_queries(NUM_QUERIES):
        caller = caller_of_key(text, NOON)
        assert [level.label for level in caller.policy.levels]
        assert caller.user.username == "alice"


def test_a_key_of_the_configuration_takes_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        caller_of_key(FIRST, NOON)


def test_use_is_noted_at_most_once_a_minute(laptop):
    _, text = laptop
    noted = []
    for seconds in (0, 30, 60, 61, 120, 122):
        caller_of_key(text, NOON + timedelta(seconds=seconds))
        noted.append((ApiKey.objects.get().last_used_at - NOON).total_seconds())
    assert noted == [0, 0, 0, 61, 61, 122]


# Rules


def test_the_rules_of_key_person_and_groups_hold_the_nearest_first(laptop, alice, team):
    key, text = laptop
    other_group = Group.objects.create(name="readers")
    alice.groups.add(other_group)
    for subject in ({"group": team}, {"group": other_group}, {"user": alice}, {"key": key}):
        Policy.objects.create(max_running=3, **subject)

    policy = caller_of_key(text, NOON).policy

    labels = [level.label for level in policy.levels]
    assert labels[:2] == [f"key {key}", "user alice"]
    assert {*labels[2:]} == {"group team", "group readers"}
    assert len(labels) == 4
    assert policy.smallest("max_running").level == f"key {key}"


def test_rules_of_others_do_not_hold(laptop, alice, bob, charlie, team):
    key, _ = laptop
    mine, _ = ApiKey.objects.issue(alice, "my other one")
    bobs, _ = ApiKey.objects.issue(bob, "laptop")
    strangers = Group.objects.create(name="strangers")
    charlie.groups.add(strangers)
    for one in (
        {"group": strangers},
        {"user": bob},
        {"user": charlie},
        {"key": mine},
        {"key": bobs},
    ):
        Policy.objects.create(max_running=0, **one)
    assert policy_of(alice, key).levels == []


def test_the_rules_of_a_key_do_not_hold_for_the_person_without_it(laptop, alice, team):
    Policy.objects.create(key=laptop[0], max_running=1)
    Policy.objects.create(group=team, max_running=9)
    assert policy_of(alice).smallest("max_running").value == 9


def test_a_groups_rules_hold_for_its_members_while_they_are(alice, bob, charlie, team):
    Policy.objects.create(group=team, max_running=9)
    assert [len(policy_of(user).levels) for user in (alice, bob, charlie)] == [1, 1, 0]
    bob.groups.remove(team)
    assert [len(policy_of(user).levels) for user in (alice, bob, charlie)] == [1, 0, 0]


def test_a_change_of_rules_holds_for_the_next_request(laptop, alice):
    _, text = laptop
    assert caller_of_key(text, NOON).policy.allows_model("qwen")
    Policy.objects.create(user=alice, allowed_models=["llama"])
    assert not caller_of_key(text, NOON).policy.allows_model("qwen")
