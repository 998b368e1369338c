"""API keys: how they look, what is kept of them, and how they end."""

import gc
import hmac
import re
import string
import sys
import uuid
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from unittest.mock import patch

import pytest
from django.db import IntegrityError
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey, Policy, UsageRecord, User
from accounts.models.key import USED_EVERY
from tests.accounts.site import configured

NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)

NOT_KEYS = {
    "nothing": "",
    "a word": "whatever",
    "the start of one": "sk-abcd1234",
    "too short": f"sk-abcd1234-{'a' * 39}",
    "too long": f"sk-abcd1234-{'a' * 41}",
    "of another kind": f"pk-abcd1234-{'a' * 40}",
    "with a line end": f"sk-abcd1234-{'a' * 40}\n",
    "with a space before it": f" sk-abcd1234-{'a' * 40}",
    "other letters": f"sk-abcd1234-{'é' * 40}",
    "other digits": f"sk-abcd1234-{'٣' * 40}",
    "zero bytes": f"sk-\0\0\0\0\0\0\0\0-{'a' * 40}",
    "one zero byte": "\0",
    "half a character": "\udcff",
    "a million letters": "a" * 1_000_000,
    "a million dashes": f"sk-{'-' * 1_000_000}",
}
not_keys = pytest.mark.parametrize("text", NOT_KEYS.values(), ids=NOT_KEYS)


@pytest.fixture(autouse=True)
def site(settings):
    configured(settings)


@pytest.fixture
def laptop(alice) -> tuple[ApiKey, str]:
    """A key of Alice, and its text."""
    return ApiKey.objects.issue(alice, "laptop")


@pytest.fixture
def set_clock(monkeypatch):
    return lambda now: monkeypatch.setattr(timezone, "now", lambda: now)


def with_end(key, character):
    """The same key but for its last character."""
    return key[:-1] + character


def other_than(character):
    return string.ascii_letters.replace(character, "")[0]


# What a key is


def test_a_key_reads_as_people_are_told():
    new = keys.make_key()
    assert re.fullmatch(r"sk-[A-Za-z0-9]{8}-[A-Za-z0-9]{40}", new.text)
    assert new.text[3:11] == new.prefix
    assert new.digest == sha256(new.text.encode()).hexdigest()


def test_no_two_keys_are_alike_in_any_part():
    made = [keys.make_key() for _ in range(500)]
    secrets = {new.text.rpartition("-")[2] for new in made}
    assert len(secrets) == len({new.prefix for new in made}) == len(made)


def test_secrets_are_of_all_letters_and_digits():
    seen = {character for _ in range(200) for character in keys.make_key().text[12:]}
    assert seen == {*keys.ALPHABET}


def test_the_prefix_of_a_key_is_its_public_part():
    new = keys.make_key()
    assert keys.prefix_of(new.text) == new.prefix


@not_keys
def test_what_is_no_key_has_no_prefix(text):
    assert keys.prefix_of(text) is None


def test_a_digest_is_not_the_same_as_none():
    assert keys.is_same("a" * 64, "a" * 64)
    assert not keys.is_same("a" * 64, "b" * 64)
    assert not keys.is_same(keys.NO_DIGEST, None)


# What is kept, and how it is found


def test_of_the_secret_only_its_digest_is_stored(laptop):
    key, text = laptop
    [row] = ApiKey.objects.values()
    assert text[12:] not in repr(row)
    assert (row["prefix"], row["digest"]) == (text[3:11], sha256(text.encode()).hexdigest())
    assert key.shown == f"sk-{text[3:11]}-…"


def test_a_key_is_found_by_its_text(laptop):
    key, text = laptop
    assert ApiKey.objects.of_text(text) == key


def test_among_many_keys_each_finds_its_own(alice, bob):
    issued = [ApiKey.objects.issue(user, "one of many") for user in (alice, bob) * 3]
    assert [ApiKey.objects.of_text(text) for _, text in issued] == [key for key, _ in issued]


def test_the_right_prefix_with_a_wrong_secret_finds_nothing(laptop):
    _, text = laptop
    start, secret = text[:12], text[12:]
    guesses = [
        with_end(text, other_than(text[-1])),
        start + other_than(secret[0]) + secret[1:],
        start + secret[::-1],
        start + secret.swapcase(),
        start + keys.make_key().text[12:],
    ]
    assert [ApiKey.objects.of_text(guess) for guess in guesses] == [None] * 5


def test_the_right_secret_with_another_keys_prefix_finds_nothing(laptop, bob):
    _, text = laptop
    _, bobs = ApiKey.objects.issue(bob, "phone")
    assert ApiKey.objects.of_text(bobs[:12] + text[12:]) is None


def test_neither_prefix_nor_digest_opens_anything(laptop):
    key, _ = laptop
    for text in (key.prefix, key.digest, key.shown, f"sk-{key.prefix}-{key.digest[:40]}"):
        assert ApiKey.objects.of_text(text) is None


@not_keys
def test_what_is_no_key_finds_nothing(laptop, text):
    assert ApiKey.objects.of_text(text) is None


def test_a_key_is_found_whatever_its_state(laptop):
    key, text = laptop
    key.revoke()
    assert ApiKey.objects.of_text(text).state == "revoked"


def test_two_keys_never_share_a_prefix(laptop, bob):
    key, _ = laptop
    with pytest.raises(IntegrityError):
        ApiKey.objects.create(user=bob, name="twin", prefix=key.prefix, digest="a" * 64)


@pytest.mark.parametrize("written", ["{}", "sk-{}", "sk-{}-", "sk-{}-…", f"sk-{{}}-{'a' * 40}"])
def test_people_name_a_key_by_its_start(laptop, bob, written):
    key, _ = laptop
    ApiKey.objects.issue(bob, "phone")
    assert [*ApiKey.objects.known_as(written.format(key.prefix))] == [key]


def test_people_may_name_a_key_by_the_whole_of_it(laptop):
    key, text = laptop
    assert ApiKey.objects.known_as(text).get() == key


@not_keys
def test_what_is_no_key_names_none(laptop, text):
    assert not ApiKey.objects.known_as(text).exists()


def test_a_part_of_a_prefix_names_no_key(laptop):
    key, _ = laptop
    parts = [key.prefix[:-1], key.prefix[1:], f"{key.prefix}a", f"{key.prefix[:4]}%"]
    assert [ApiKey.objects.known_as(part).count() for part in parts] == [0] * 4


def test_keys_belong_to_their_person_alone(laptop, bob):
    key, _ = laptop
    assert key in ApiKey.objects.owned_by(key.user)
    assert key not in ApiKey.objects.owned_by(bob)


# Looking one up takes the same, however near a guess is


def guesses(text):
    """No such prefix, a secret that is wrong from its start on, and one wrong at its end."""
    secret = text[12:]
    return {
        "prefix": keys.make_key().text,
        "first": text[:12] + other_than(secret[0]) + secret[1:],
        "last": with_end(text, other_than(text[-1])),
    }


def compared(text):
    """What is compared with what, whenever anything is, while that key is looked up."""
    with patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compare:
        ApiKey.objects.of_text(text)
    return [call.args for call in compare.call_args_list]


@not_keys
def test_a_lookup_of_what_is_no_key_compares_once(laptop, text):
    [(digest, stored)] = compared(text)
    assert len(digest) == len(stored) == 64


@pytest.mark.parametrize("where", ["prefix", "first", "last"])
def test_a_lookup_of_a_wrong_key_compares_once(laptop, where):
    [(digest, stored)] = compared(guesses(laptop[1])[where])
    assert len(digest) == len(stored) == 64
    assert digest != stored


def test_a_lookup_of_the_right_key_compares_once(laptop):
    key, text = laptop
    assert compared(text) == [(key.digest, key.digest)]


def work(text):
    """Every line that calls or returns, ours and others', while that key is looked up."""
    lines = []
    gc.disable()  # it would call in between
    sys.setprofile(lambda frame, event, _: lines.append((frame.f_code, frame.f_lineno, event)))
    try:
        ApiKey.objects.of_text(text)
    finally:
        sys.setprofile(None)
        gc.enable()
    return lines


def test_the_work_does_not_tell_where_a_secret_goes_wrong(laptop):
    wrong = guesses(laptop[1])
    work(wrong["first"])  # what is done but the first time is done
    first, last = work(wrong["first"]), work(wrong["last"])
    assert first == last
    assert len(first) > 100


def test_with_the_secret_the_same_is_done_whether_its_prefix_exists_or_not(laptop):
    wrong = guesses(laptop[1])
    prefix, last = (
        [line for line in work(wrong[where]) if line[0].co_filename == keys.__file__]
        for where in ("prefix", "last")
    )
    assert prefix == last
    assert {line[0].co_name for line in last} == {"prefix_of", "digest_of", "is_same"}


def test_a_lookup_is_one_query_whatever_is_asked(laptop, django_assert_num_queries):
    for text in (laptop[1], *guesses(laptop[1]).values(), *NOT_KEYS.values()):
        with django_assert_num_queries(1):
            ApiKey.objects.of_text(text)


# States


def test_a_key_without_an_end_is_active(laptop, set_clock):
    key, _ = laptop
    set_clock(NOON + 10_000 * DAY)
    assert key.state == "active"
    assert key in ApiKey.objects.active()


@pytest.mark.parametrize(
    ("now", "state", "is_active"),
    [
        (NOON - TICK, "active", True),
        (NOON, "expired", False),
        (NOON + TICK, "expired", False),
    ],
)
def test_a_key_expires_at_the_very_moment(alice, set_clock, now, state, is_active):
    key, _ = ApiKey.objects.issue(alice, "laptop", expires_at=NOON)
    set_clock(now)
    assert key.state == state
    assert ApiKey.objects.active().filter(pk=key.pk).exists() is is_active
    assert ApiKey.objects.active(now).filter(pk=key.pk).exists() is is_active


def test_a_revoked_key_is_revoked_even_when_it_has_expired(alice, set_clock):
    key, _ = ApiKey.objects.issue(alice, "laptop", expires_at=NOON)
    key.revoke()
    set_clock(NOON + DAY)
    assert key.state == "revoked"
    assert not ApiKey.objects.active().exists()


def test_a_key_is_revoked_once(laptop, set_clock):
    key, _ = laptop
    set_clock(NOON)
    assert key.revoke()
    set_clock(NOON + DAY)
    assert not key.revoke()
    assert key.revoked_at == ApiKey.objects.get().revoked_at == NOON


def test_whoever_has_an_older_copy_learns_that_it_was_revoked(laptop):
    key, _ = laptop
    copy = ApiKey.objects.get()
    key.revoke()
    assert not copy.revoke()
    assert copy.state == "revoked"


def test_revoking_one_key_leaves_the_others(laptop, alice):
    other, _ = ApiKey.objects.issue(alice, "phone")
    laptop[0].revoke()
    assert [*ApiKey.objects.active()] == [other]


# Rotation


def test_until_its_end_the_old_key_works_beside_the_new(laptop, set_clock):
    old, _ = laptop
    set_clock(NOON)
    new, text = old.rotate(DAY)
    assert ApiKey.objects.of_text(text) == new
    set_clock(NOON + DAY - TICK)
    assert {*ApiKey.objects.active()} == {old, new}
    set_clock(NOON + DAY)
    assert [*ApiKey.objects.active()] == [new]


def test_without_an_overlap_the_old_key_ends_at_once(laptop, set_clock):
    set_clock(NOON)
    new, _ = laptop[0].rotate(timedelta(0))
    assert [*ApiKey.objects.active()] == [new]


def test_the_new_key_is_the_same_persons_by_the_same_name(laptop):
    old, old_text = laptop
    new, text = old.rotate(DAY)
    assert (new.user, new.name) == (old.user, old.name)
    assert (new.prefix, new.digest) != (old.prefix, old.digest)
    assert text != old_text
    assert ApiKey.objects.get(pk=old.pk).replaced_by == new


def test_the_new_key_has_the_old_ones_lifetime(alice, set_clock):
    set_clock(NOON)
    old, _ = ApiKey.objects.issue(alice, "laptop", expires_at=NOON + 30 * DAY)
    set_clock(NOON + 20 * DAY)
    new, _ = old.rotate(DAY)
    assert new.expires_at == NOON + 50 * DAY


def test_a_key_without_an_end_is_replaced_by_one_without(laptop):
    new, _ = laptop[0].rotate(DAY)
    assert new.expires_at is None


@pytest.mark.parametrize(
    ("left", "overlap", "end"),
    [
        (30 * DAY, DAY, NOON + DAY),
        (DAY, DAY, NOON + DAY),
        (timedelta(hours=1), DAY, NOON + timedelta(hours=1)),
    ],
)
def test_rotation_never_lets_a_key_live_longer(alice, set_clock, left, overlap, end):
    set_clock(NOON)
    old, _ = ApiKey.objects.issue(alice, "laptop", expires_at=NOON + left)
    old.rotate(overlap)
    assert ApiKey.objects.get(pk=old.pk).expires_at == old.expires_at == end


def test_the_new_key_has_a_copy_of_the_policy(laptop):
    old, _ = laptop
    rules = {"allowed_models": ["qwen*"], "tokens_per_day": 5, "expires_at": NOON}
    rules |= {"allowed_addresses": ["10.0.0.0/8"], "scheduler_class": "background"}
    Policy.objects.create(key=old, log_prompts=False, deterministic=True, **rules)

    new, _ = old.rotate(DAY)

    both = Policy.objects.order_by("pk")
    assert [policy.key for policy in both] == [old, new]
    [one, other] = both.values()
    assert {**one, "id": 0, "key_id": 0} == {**other, "id": 0, "key_id": 0}
    assert (old.policy.key, new.policy.key) == (old, new)


def test_a_key_without_a_policy_is_replaced_by_one_without(laptop):
    laptop[0].rotate(DAY)
    assert not Policy.objects.exists()


def test_a_revoked_key_is_not_rotated(laptop):
    key, _ = laptop
    key.revoke()
    with pytest.raises(ValueError, match=r"laptop \(sk-.*\) is revoked"):
        key.rotate(DAY)
    assert ApiKey.objects.count() == 1


def test_an_expired_key_is_not_rotated(alice, set_clock):
    key, _ = ApiKey.objects.issue(alice, "laptop", expires_at=NOON)
    set_clock(NOON)
    with pytest.raises(ValueError, match="is expired"):
        key.rotate(DAY)
    assert ApiKey.objects.count() == 1


def test_a_key_is_rotated_once(laptop):
    key, _ = laptop
    key.rotate(DAY)
    with pytest.raises(ValueError, match="has been rotated"):
        key.rotate(DAY)
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("change", [lambda key: key.revoke(), lambda key: key.rotate(DAY)])
def test_what_somebody_else_has_just_done_to_it_counts(laptop, change):
    key, _ = laptop
    change(ApiKey.objects.get(pk=key.pk))
    num_keys = ApiKey.objects.count()
    with pytest.raises(ValueError, match=r"is revoked|has been rotated"):
        key.rotate(DAY)
    assert ApiKey.objects.count() == num_keys


def test_a_replaced_key_may_be_revoked_and_so_may_its_successor_be_rotated(laptop):
    old, _ = laptop
    new, _ = old.rotate(DAY)
    assert old.revoke()
    newest, _ = new.rotate(DAY)
    assert newest.state == "active"


# Use


def test_a_key_that_was_never_used_says_so(laptop):
    assert laptop[0].last_used_at is None


def test_use_is_noted_once_a_minute(laptop, django_assert_num_queries):
    key, _ = laptop
    key.note_use(NOON)
    for passed, num_writes, noted in [
        (timedelta(0), 0, NOON),
        (USED_EVERY, 0, NOON),
        (USED_EVERY + TICK, 1, NOON + USED_EVERY + TICK),
    ]:
        key.refresh_from_db()
        with django_assert_num_queries(num_writes):
            key.note_use(NOON + passed)
        assert ApiKey.objects.get().last_used_at == noted


def test_noting_its_use_changes_nothing_else(laptop):
    key, _ = laptop
    copy = ApiKey.objects.get()
    key.revoke()
    copy.note_use(NOON)
    assert ApiKey.objects.get().state == "revoked"


# People go


def test_a_deleted_persons_keys_open_nothing_and_their_records_stay(laptop, alice, bob):
    key, text = laptop
    ApiKey.objects.issue(bob, "phone")
    names = {"owner": "alice", "key_label": str(key), "model": "m", "endpoint": "chat"}
    UsageRecord.objects.create(uid=uuid.uuid4(), at=NOON, user=alice, key=key, **names)

    User.objects.get(pk=alice.pk).delete()

    assert ApiKey.objects.of_text(text) is None
    assert ApiKey.objects.get().user == bob
    record = UsageRecord.objects.get()
    assert (record.user, record.key) == (None, None)
    assert (record.owner, record.key_label) == ("alice", f"laptop (sk-{text[3:11]}-…)")


def test_a_deleted_keys_successor_and_records_stay(laptop):
    old, _ = laptop
    new, _ = old.rotate(DAY)
    names = {"owner": "alice", "key_label": str(new), "model": "m", "endpoint": "chat"}
    UsageRecord.objects.create(uid=uuid.uuid4(), at=NOON, user=new.user, key=new, **names)
    new.delete()
    assert ApiKey.objects.get().replaced_by is None
    assert UsageRecord.objects.get().key_label == str(new)
