"""The chain: what is written, and that nothing in it can be altered unseen."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum

import pytest
from django.db import connection, transaction
from django.db.models import F

from accounts import audit, keys
from accounts.audit import NO_HASH, AuditError
from accounts.audit.facts import facts
from accounts.models import AuditEntry, AuditHead, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def five():
    """A chain of five entries."""
    return [audit.record("key.created", f"key:{number}", after={"n": 1}) for number in range(5)]


def stored(number):
    return AuditEntry.objects.filter(number=number)


def rehash(number):
    """What a forger does who knows how hashes are made."""
    entry = stored(number).get()
    stored(number).update(hash=audit.hash_of(entry))


# Appending


def test_entries_are_numbered_and_each_names_the_hash_before_it(five):
    assert [entry.number for entry in five] == [1, 2, 3, 4, 5]
    assert five[0].previous_hash == NO_HASH
    assert [e.previous_hash for e in five[1:]] == [e.hash for e in five[:-1]]
    assert AuditHead.objects.get().hash == five[-1].hash


def test_an_entry_shares_the_fate_of_the_change_it_is_about(five):
    with transaction.atomic():
        User.objects.create_user("alice")
        audit.record("user.changed", "user:1")
        assert AuditEntry.objects.count() == 7
        transaction.set_rollback(True)

    assert AuditEntry.objects.count() == AuditHead.objects.get().number == 5
    assert audit.verify() is None


def test_a_change_cannot_be_committed_by_swallowing_that_it_was_not_recorded(five):
    AuditHead.objects.all().delete()
    with transaction.atomic():
        with pytest.raises(AuditError):
            audit.record("user.changed", "user:1")
        assert connection.needs_rollback
        transaction.set_rollback(False)  # so that the test can go on


def test_nothing_is_appended_where_the_head_has_gone(five):
    AuditHead.objects.all().delete()

    with pytest.raises(AuditError, match="no head"):
        audit.record("user.changed", "user:1")


def test_what_is_too_long_for_its_column_is_cut():
    entry = audit.record("user.sign_in_failed", "x" * 5000, actor_name="y" * 5000)

    assert (len(entry.target), len(entry.actor_name)) == (200, 150)
    assert audit.verify() is None


def test_changes_are_told_by_what_differs():
    before, after = {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5, "d": 4}

    assert audit.diff(before, after) == (
        {"b": 2, "c": 3, "d": None},
        {"b": 5, "c": None, "d": 4},
    )


# Secrets, and values that databases keep differently


def test_fields_with_a_secrets_name_are_left_out():
    entry = audit.record(
        "user.changed",
        before={"password": "x", "name": "a", "inner": {"client_secret": "x", "id": 1}},
        after={"digest": "x", "access_token": "x", "PASSWORD-HASH": "x", "tokens_per_day": 5},
    )
    entry.refresh_from_db()

    assert entry.before == {"name": "a", "inner": {"id": 1}}
    assert entry.after == {"tokens_per_day": 5}


def test_a_key_pasted_anywhere_is_kept_by_its_prefix_only():
    key = keys.make_key()
    entry = audit.record("user.sign_in_failed", f"it is {key.text}", after={"note": [key.text]})

    assert entry.target == f"it is sk-{key.prefix}-…"
    assert entry.after == {"note": [f"sk-{key.prefix}-…"]}


class Colour(Enum):
    RED = "red"


@dataclass
class Odd:
    def __str__(self) -> str:
        return "odd"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (True, True),
        (2**60, 2**60),
        (0.1, 0.1),
        (-0.0, 0),
        (900.0, 900),
        (1e16, 10**16),
        (1.5e-7, 1.5e-7),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ("é試🙂", "é試🙂"),
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\ud800b", "a?b"),
        ((1, "b"), [1, "b"]),
        ({1: {"b": (2,)}}, {"1": {"b": [2]}}),
        (
            datetime(2025, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))),
            "2025-01-31T10:00:00.000000+00:00",
        ),
        (Odd(), "odd"),
        (Colour.RED, "Colour.RED"),
    ],
    ids=str,
)
def test_every_value_comes_back_as_it_was_hashed(value, kept):
    entry = audit.record("policy.changed", after={"value": value})
    entry.refresh_from_db()

    assert entry.after == facts({"value": value}) == {"value": kept}
    assert audit.verify() is None


def test_a_long_text_is_known_by_its_beginning_and_its_hash():
    kept = facts({"template": "x" * 9000, "other": "x" * 9001})

    assert kept["template"].startswith("x" * 100 + "… (9000 characters, SHA-256 ")
    assert len(kept["template"]) < 250
    assert kept["template"] != kept["other"]


# Verifying


def test_an_empty_log_is_intact():
    assert audit.verify() is None


def test_a_chain_longer_than_one_read_is_intact(monkeypatch, five):
    monkeypatch.setattr("accounts.audit.log.CHUNK", 2)

    assert audit.verify() is None


@pytest.mark.parametrize(
    "change",
    [
        {"action": "key.revoked"},
        {"at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"actor_name": "mallory"},
        {"target": "key:9"},
        {"before": {}},
        {"after": {"n": 2}},
        {"after": None},
        {"address": "192.0.2.9"},
        {"request_id": "req_2"},
        {"previous_hash": NO_HASH},
        {"hash": NO_HASH},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_altered_field_is_found(five, change):
    stored(3).update(**change)
    broken = audit.verify()

    assert (broken.number, broken.reason) == (3, "has been altered.")


def test_the_first_of_several_altered_entries_is_named(five):
    stored(4).update(target="key:9")
    stored(2).update(target="key:9")

    assert str(audit.verify()).startswith("entry 2 (key.created, 20")


def test_an_altered_entry_with_a_new_hash_breaks_the_one_after_it(five):
    stored(3).update(target="key:9")
    rehash(3)
    broken = audit.verify()

    assert broken.number == 4
    assert "does not follow entry 3" in broken.reason


def test_an_altered_last_entry_with_a_new_hash_does_not_fit_the_head(five):
    stored(5).update(target="key:9")
    rehash(5)

    assert str(audit.verify()) == "entry 5 is not the one that the head names."


@pytest.mark.parametrize("number", [1, 3])
def test_a_deleted_entry_is_found(five, number):
    stored(number).delete()

    assert str(audit.verify()) == f"entry {number} is missing."


def test_a_deleted_entry_is_found_though_the_gap_is_closed(five):
    stored(3).delete()
    stored(4).update(number=3)
    stored(5).update(number=4)
    rehash(3)

    assert "does not follow entry 2" in audit.verify().reason


def test_a_cut_off_tail_is_found(five):
    stored(5).delete()
    stored(4).delete()

    assert str(audit.verify()) == "entry 4 is missing: the head counts 5."


def test_a_log_that_was_emptied_is_found(five):
    AuditEntry.objects.all().delete()

    assert audit.verify().number == 1


def test_swapped_entries_are_found(five):
    stored(2).update(number=99)
    stored(3).update(number=2)
    stored(99).update(number=3)

    assert audit.verify().number == 2


def test_a_head_that_was_set_back_is_found(five):
    AuditHead.objects.update(number=F("number") - 2, hash=five[2].hash)

    assert str(audit.verify()) == "entry 4 is beyond the head, which counts 3."


def test_a_head_that_is_gone_is_found(five):
    AuditHead.objects.all().delete()

    assert audit.verify().number == 1


def test_a_time_that_is_none_is_found_and_not_stumbled_over(five):
    broken = audit.Broken(3, "has been altered.", "key.created", None)
    entry = stored(3).get()
    entry.at = None

    assert audit.hash_of(entry) != five[2].hash
    assert str(broken) == "entry 3 has been altered."


def test_a_writer_at_work_does_not_look_like_a_forger(monkeypatch, five):
    """An entry comes after the head was read and before the entries were."""
    read = AuditEntry.objects.filter

    def filter_after_another_write(**conditions):
        monkeypatch.undo()
        audit.record("key.revoked", "key:1")
        return read(**conditions)

    monkeypatch.setattr(AuditEntry.objects, "filter", filter_after_another_write)

    assert audit.verify() is None
    assert AuditHead.objects.get().number == 6


def test_an_entry_stays_true_when_its_actor_is_deleted(alice):
    entry = audit.record("policy.changed", actor=alice)
    alice.delete()
    entry.refresh_from_db()

    assert (entry.actor, entry.actor_name) == (None, "alice")
    assert audit.verify() is None
