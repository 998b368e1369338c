"""What engines have computed for people goes with their accounts, and in time."""

import os
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.callers import caller_of
from accounts.models import User
from accounts.retention import tidy
from inference import specs
from inference.engine.upkeep import marks, owner_digest
from tests.accounts.site import configured

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept(settings, tmp_path):
    """A snapshot of Alice and of Bob, as engines name them."""
    settings.DATA_DIR = tmp_path
    people = [User.objects.create_user(name) for name in ("alice", "bob")]
    folder = tmp_path / "kv" / "model"
    folder.mkdir(parents=True)
    files = [folder / f"{owner_digest(caller_of(one).owner).hex()}-1.kv" for one in people]
    for file in files:
        file.write_bytes(b"state")
    return [*zip(people, files, strict=True)]


def test_an_accounts_snapshots_go_with_it(kept, tmp_path):
    (alice, hers), (_, his) = kept
    owner = caller_of(alice).owner

    alice.delete()

    assert not hers.exists()
    assert his.exists()
    assert [digest for digest, _ in marks(tmp_path / "kv")] == [owner_digest(owner)]


def test_one_that_is_not_deleted_after_all_keeps_them(kept):
    (alice, hers), _ = kept
    with transaction.atomic():
        alice.delete()
        transaction.set_rollback(True)
    assert hers.exists()


def test_a_disk_that_is_in_the_way_keeps_no_account(kept, monkeypatch, caplog):
    def refuse(*args):
        raise PermissionError("read-only")

    monkeypatch.setattr("inference.forgetting.forget_snapshots", refuse)
    (alice, _), _ = kept
    alice.delete()
    assert not User.objects.filter(username="alice").exists()
    assert "snapshots could not be deleted" in caplog.text


@pytest.mark.parametrize(("days", "left"), [(30, 1), (0, 2)])
def test_those_of_models_that_nobody_loads_go_with_their_age(kept, settings, days, left):
    configured(settings, models={"snapshot_days": days})
    (_, hers), (_, his) = kept
    then = (timezone.now() - timedelta(days=31)).timestamp()
    os.utime(hers, (then, then))

    assert tidy(timezone.now())["snapshots"] == 2 - left

    assert his.exists()
    assert hers.exists() is (left == 2)


async def test_an_engine_is_told_in_seconds(fake_row, settings):
    configured(settings, models={"snapshot_days": 2})
    assert (await specs.spec(fake_row)).config.snapshot_seconds == 2 * 86_400
