"""Rows of idempotency keys: who may compute, what is kept, and for how long."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts import idempotency
from accounts.idempotency import KeyReused, RunningElsewhere, claim, forget, forget_old, keep
from accounts.models import IdempotentAnswer, Lease

pytestmark = pytest.mark.django_db

OTHER = uuid.UUID(int=7)  # another server process
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def held_by_another(*, lease_ends_in=MINUTE):
    """A row that another process has begun."""
    Lease.objects.create(holder=OTHER, expires_at=timezone.now() + lease_ends_in)
    row = claim("user:1", "k", "f")
    IdempotentAnswer.objects.update(holder=OTHER)
    row.refresh_from_db()
    return row


def test_the_first_to_ask_computes():
    row = claim("user:1", "k", "f")
    assert (row.status, row.holder) == (None, idempotency.HOLDER)


def test_who_asks_again_gets_what_was_kept():
    keep(claim("user:1", "k", "f"), 200, {"x-a": "b"}, b"body")
    row = claim("user:1", "k", "f")
    assert (row.status, row.headers, bytes(row.body)) == (200, {"x-a": "b"}, b"body")


def test_an_answer_that_was_too_large_is_finished_without_a_body():
    keep(claim("user:1", "k", "f"), 200, {}, None)
    row = claim("user:1", "k", "f")
    assert (row.status, row.body) == (200, None)


@pytest.mark.parametrize("is_finished", [True, False])
def test_another_request_under_the_key_is_refused(is_finished):
    row = claim("user:1", "k", "f")
    IdempotentAnswer.objects.update(status=200 if is_finished else None)
    with pytest.raises(KeyReused):
        claim("user:1", "k", "other")
    assert IdempotentAnswer.objects.get().fingerprint == row.fingerprint


def test_two_callers_may_have_the_same_key():
    claim("user:1", "k", "f")
    assert claim("user:2", "k", "other").status is None


def test_what_a_living_process_computes_is_left_to_it():
    held_by_another()
    with pytest.raises(RunningElsewhere):
        claim("user:1", "k", "f")


def test_what_a_dead_process_computed_is_taken_over():
    held_by_another(lease_ends_in=-MINUTE)
    assert claim("user:1", "k", "f").holder == idempotency.HOLDER


def test_a_process_without_a_lease_is_dead():
    held_by_another()
    Lease.objects.all().delete()
    assert claim("user:1", "k", "f").holder == idempotency.HOLDER


def test_what_a_dead_process_finished_is_served():
    keep(held_by_another(lease_ends_in=-MINUTE), 200, {}, b"body")
    assert bytes(claim("user:1", "k", "f").body) == b"body"


def test_what_this_process_left_unfinished_is_taken_over():
    first = claim("user:1", "k", "f")
    second = claim("user:1", "k", "f")
    assert second.created_at > first.created_at


def test_who_was_taken_over_from_can_neither_keep_nor_forget():
    slow = held_by_another(lease_ends_in=-MINUTE)
    claim("user:1", "k", "f")
    assert not keep(slow, 200, {}, b"late")
    forget(slow)
    assert IdempotentAnswer.objects.get().status is None


def test_only_one_takes_over(monkeypatch):
    held_by_another(lease_ends_in=-MINUTE)

    def another_is_faster(row, now):
        IdempotentAnswer.objects.update(holder=uuid.uuid4())
        return False

    monkeypatch.setattr(idempotency, "_is_alive_elsewhere", another_is_faster)
    with pytest.raises(RunningElsewhere):
        claim("user:1", "k", "f")


def test_what_is_forgotten_is_computed_again():
    first = claim("user:1", "k", "f")
    forget(first)
    assert claim("user:1", "k", "other").pk != first.pk


def test_a_row_expires(settings):
    keep(claim("user:1", "k", "f"), 200, {"x-a": "b"}, b"body")
    row = claim("user:1", "k", "other", timezone.now() + DAY + MINUTE)
    assert (row.status, row.headers, row.body, row.fingerprint) == (None, {}, None, "other")


def test_old_rows_are_deleted_and_young_ones_kept():
    for key in ("old", "young"):
        claim("user:1", key, "f")
    yesterday = timezone.now() - DAY - MINUTE
    IdempotentAnswer.objects.filter(key="old").update(created_at=yesterday)
    assert forget_old(timezone.now()) == 1
    assert IdempotentAnswer.objects.get().key == "young"


@pytest.mark.django_db(transaction=True)
def test_of_many_processes_at_once_one_computes(monkeypatch):
    """Each thread stands for a process: none knows what the others compute."""
    monkeypatch.setattr(idempotency, "_is_alive_elsewhere", lambda row, now: True)
    start = threading.Barrier(8)

    def ask(_):
        start.wait()
        with closing(connection), suppress(RunningElsewhere):
            return claim("user:1", "k", "f")

    with ThreadPoolExecutor(8) as threads:
        claimed = [row for row in threads.map(ask, range(8)) if row]
    assert len(claimed) == 1
    assert claimed[0] == IdempotentAnswer.objects.get()
