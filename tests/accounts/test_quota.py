"""Token quotas: never more than the limit, and never a token lost."""

import itertools
import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.contrib.auth.models import Group
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import accounting
from accounts.accounting import Spent
from accounts.errors import Exceeds, LimitReached, QuotaExhausted
from accounts.ledger import Ledger, PostgresLedger
from accounts.models import Lease, QuotaWindow, UsageRecord, User
from accounts.quota.base import Demand, used_before
from accounts.quota.windows import Period, Quota

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 5, 31, 12, 0, 30, tzinfo=UTC)
NUM_CLIENTS = 64
KEY = f"key:{uuid.UUID(int=1).hex}"


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch):
    """Each test is a server process that has just started."""
    monkeypatch.setattr(accounting, "HOLDER", uuid.uuid4())
    monkeypatch.setattr(accounting, "_last", accounting._Last())


def tokens(limit, period=Period.DAY, subject=KEY, level="key x"):
    return Quota(subject, period, limit, f"tokens_per_{period}", level)


def running(limit, subject=KEY):
    return Quota(subject, Period.RUNNING, limit, "max_running", "key x")


def facts(**more):
    return {"owner": "somebody", "model": "m", "endpoint": "chat", **more}


def begin(*quotas, least=10, most=10, now=NOON, **columns):
    return accounting.begin(facts(**columns), quotas, Demand(least, most), now)[0]


def finish(hold, num_tokens, status="stop"):
    return accounting.finish(hold.uid, status, Spent(completion_tokens=num_tokens))


def state(store, quota, now=NOON):
    (count,) = store.counts([quota], now)
    return count.used, count.reserved


def at_once(work):
    """Results or errors of as many clients as there are, all starting together."""
    gate = threading.Barrier(NUM_CLIENTS)

    def client(number):
        gate.wait()
        try:
            return work(number)
        except LimitReached as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(NUM_CLIENTS) as pool:
        return [*pool.map(client, range(NUM_CLIENTS))]


# Many at once


def test_64_clients_at_the_limit_never_overshoot(store):
    quotas = [tokens(1000), tokens(1_000_000, Period.MONTH), tokens(1500, subject="user:1")]

    answers = at_once(lambda number: begin(*quotas, least=100, most=100))

    assert Counter(map(type, answers))[LimitReached] == NUM_CLIENTS - 10
    assert state(store, quotas[0]) == (0, 1000)
    assert state(store, quotas[2]) == (0, 1000)
    holds = [answer for answer in answers if not isinstance(answer, Exception)]
    for hold in holds:
        finish(hold, 60)
    assert [state(store, quota) for quota in quotas] == [(600, 0)] * 3


def test_64_clients_that_come_and_go_leave_nothing_behind(store):
    quotas = [tokens(1000), running(5)]

    def client(number):
        hold = begin(*quotas, least=10, most=100)
        assert state(store, quotas[1])[1] <= 5
        finish(hold, 7)
        return hold

    answers = at_once(client)

    num_served = sum(not isinstance(answer, Exception) for answer in answers)
    assert num_served >= 5
    assert state(store, quotas[0]) == (7 * num_served, 0)
    assert state(store, quotas[1]) == (0, 0)
    assert UsageRecord.objects.num_tokens() == 7 * num_served


def test_no_more_run_at_once_than_may(store):
    answers = at_once(lambda number: begin(running(8)))
    assert Counter(map(type, answers))[LimitReached] == NUM_CLIENTS - 8
    assert state(store, running(8)) == (0, 8)


def test_a_request_is_finished_once_whoever_says_so(store):
    hold = begin(tokens(1000), least=50, most=50)
    done = at_once(lambda number: finish(hold, 20))
    assert Counter(done) == {True: 1, False: NUM_CLIENTS - 1}
    assert state(store, tokens(1000)) == (20, 0)


# One request


def test_as_much_is_held_as_is_free(store):
    first = begin(tokens(100), least=10, most=70)
    second = begin(tokens(100), least=10, most=70)
    assert (first.tokens, second.tokens) == (70, 30)


def test_what_was_not_used_is_free_again(store):
    finish(begin(tokens(100), least=10, most=100), 40)
    assert begin(tokens(100), least=60, most=60).tokens == 60


def test_every_level_has_to_have_enough(store):
    quotas = [tokens(100), tokens(5, subject="user:1", level="user alice")]
    finish(begin(*quotas, least=5, most=50), 5)
    with pytest.raises(QuotaExhausted) as caught:
        begin(*quotas, least=5, most=50)
    assert caught.value.level == "user alice"
    assert state(store, tokens(100)) == (5, 0)


def test_a_refusal_names_the_rule_and_when_it_resets(store):
    finish(begin(tokens(100), least=90, most=90), 90)
    with pytest.raises(QuotaExhausted) as caught:
        begin(tokens(100), least=11, most=11)
    error = caught.value
    assert (error.rule, error.level, error.limit) == ("tokens_per_day", "key x", 100)
    assert error.resets_at == datetime(2026, 6, 1, tzinfo=UTC)
    assert error.message == (
        "The request needs 11 tokens, and 10 of the 100 of this day are free"
        " (rule tokens_per_day of key x). It starts anew at 2026-06-01 00:00 UTC."
    )


def test_what_running_requests_hold_is_worth_waiting_for(store):
    hold = begin(tokens(100), least=10, most=100)
    with pytest.raises(LimitReached, match="Running requests hold 100") as caught:
        begin(tokens(100), least=10, most=10)
    assert not isinstance(caught.value, QuotaExhausted)
    assert caught.value.resets_at is None
    finish(hold, 20)
    assert begin(tokens(100), least=10, most=10).tokens == 10


def test_a_minute_is_worth_waiting_for(store):
    finish(begin(tokens(10, Period.MINUTE)), 10)
    with pytest.raises(LimitReached) as caught:
        begin(tokens(10, Period.MINUTE))
    assert not isinstance(caught.value, QuotaExhausted)
    assert caught.value.resets_at == NOON.replace(minute=1, second=0)


def test_what_can_never_fit_says_so(store):
    with pytest.raises(Exceeds, match="needs 101 tokens, more than the 100 of a day"):
        begin(tokens(100), least=101, most=101)


def test_a_refused_request_is_not_in_the_ledger(store):
    begin(tokens(10))
    with pytest.raises(LimitReached):
        begin(tokens(10))
    assert UsageRecord.objects.count() == 1


def test_a_reservation_whose_row_cannot_be_written_is_undone(store):
    with pytest.raises(ValueError, match="'nobody'"):
        begin(tokens(100), user="nobody")
    assert state(store, tokens(100)) == (0, 0)


def test_a_request_without_quotas_is_only_recorded(store):
    finish(begin(), 5)
    assert UsageRecord.objects.get().completion_tokens == 5
    assert not QuotaWindow.objects.exists()


# Time


@pytest.mark.parametrize(
    ("period", "next_one"),
    [
        (Period.MINUTE, NOON + timedelta(minutes=1)),
        (Period.DAY, NOON + timedelta(days=1)),
        (Period.MONTH, NOON + timedelta(days=1)),  # of 31 May
    ],
)
def test_each_period_starts_anew(store, period, next_one):
    begin(tokens(10, period))
    assert begin(tokens(10, period), now=next_one).tokens == 10


def test_a_request_counts_where_it_was_admitted(store):
    quota, tomorrow = tokens(100), NOON + timedelta(days=1)
    hold = begin(quota, now=NOON)
    begin(quota, now=tomorrow)
    finish(hold, 8)
    assert state(store, quota, NOON) == (8, 0)
    assert state(store, quota, tomorrow) == (0, 10)


def test_a_quota_set_in_the_middle_of_a_month_knows_its_past(store, alice):
    finish(begin(user=alice), 30)
    finish(begin(user=alice, now=NOON - timedelta(days=40)), 1000)
    quota = tokens(35, Period.MONTH, subject=f"user:{alice.pk}")
    with pytest.raises(QuotaExhausted, match="5 of the 35"):
        begin(quota, least=6, most=6)


def test_a_group_shares_its_quota(store, alice, bob):
    team = Group.objects.create(name="team")
    alice.groups.add(team)
    bob.groups.add(team)
    finish(begin(user=alice), 30)
    quota = tokens(50, subject=f"group:{team.pk}")
    finish(begin(quota, user=bob), 10)
    assert state(store, quota) == (40, 0)


# Crashes


def die():
    """This process ends here, and another one starts."""
    accounting.HOLDER, accounting._last = uuid.uuid4(), accounting._Last()


def test_what_a_dead_process_held_is_free_after_its_lease(store):
    quotas = [tokens(100), running(1)]
    begin(*quotas, least=100, most=100)
    die()

    accounting.keep(NOON + timedelta(seconds=50))
    assert state(store, quotas[0]) == (0, 100)
    accounting.keep(NOON + timedelta(seconds=61))

    assert [state(store, quota) for quota in quotas] == [(0, 0), (0, 0)]
    assert UsageRecord.objects.get().status == "lost"
    assert begin(*quotas, least=100, most=100).tokens == 100


def test_a_process_that_renews_keeps_what_it_holds(store):
    begin(tokens(100), least=100, most=100)
    for seconds in range(0, 600, 20):
        accounting.keep(NOON + timedelta(seconds=seconds))
    assert state(store, tokens(100)) == (0, 100)


def test_who_was_given_up_and_ends_after_all_is_counted(store):
    quotas = [tokens(100), running(1)]
    hold = begin(*quotas, least=50, most=50)
    die()
    accounting.keep(NOON + timedelta(seconds=61))

    assert finish(hold, 40)
    assert not finish(hold, 40)

    assert [state(store, quota) for quota in quotas] == [(40, 0), (0, 0)]
    assert UsageRecord.objects.get().status == "stop"


def test_a_crash_between_the_ledger_and_redis_is_mended(settings, redis_url, monkeypatch):
    settings.REDIS_URL = redis_url
    store = accounting.quotas_store()
    hold = begin(tokens(100), least=50, most=50)
    with monkeypatch.context() as crashed:
        crashed.setattr(store, "_settle_now", lambda hold, used: None)
        finish(hold, 20)
    assert state(store, tokens(100)) == (0, 50)

    accounting.keep(NOON)

    assert state(store, tokens(100)) == (20, 0)


def test_who_sweeps_and_who_finishes_count_a_request_once(settings, redis_url, monkeypatch):
    settings.REDIS_URL = redis_url
    store = accounting.quotas_store()
    hold = begin(tokens(100), least=50, most=50)
    held = store.held(accounting.HOLDER)  # as the sweep has read them
    finish(hold, 20)
    monkeypatch.setattr(store, "held", lambda holder: held)

    accounting.keep(NOON)

    assert state(store, tokens(100)) == (20, 0)


def test_a_reservation_whose_answer_was_lost_is_freed(settings, redis_url, monkeypatch):
    settings.REDIS_URL = redis_url
    store = accounting.quotas_store()
    reserve = store._reserve

    def cut_off(*args):
        reserve(*args)
        raise redis.TimeoutError

    begin(tokens(100), running(2), least=10, most=10)
    monkeypatch.setattr(store, "_reserve", cut_off)
    with pytest.raises(redis.TimeoutError):
        begin(tokens(100), running(2), least=50, most=50)
    assert state(store, tokens(100)) == (0, 60)

    accounting.keep(NOON)

    assert state(store, tokens(100)) == (0, 10)
    assert state(store, running(2)) == (0, 1)


def test_what_is_just_being_admitted_is_not_swept(settings, redis_url, monkeypatch):
    settings.REDIS_URL = redis_url
    write = Ledger.write

    def keep_meanwhile(*args):
        accounting.settle_leftovers(accounting.HOLDER)
        write(*args)

    for ledger in (Ledger, PostgresLedger):
        monkeypatch.setattr(ledger, "write", keep_meanwhile)
    begin(tokens(100), least=50, most=50)
    assert state(accounting.quotas_store(), tokens(100)) == (0, 50)


def test_a_redis_that_has_lost_everything_counts_from_the_ledger(settings, redis_url):
    settings.REDIS_URL = redis_url
    store = accounting.quotas_store()
    key = {"key": None, "user": User.objects.create(username="dora")}
    quota = tokens(100, subject=f"user:{key['user'].pk}")
    finish(begin(quota, **key), 30)
    store._redis.flushdb()
    assert begin(quota, least=10, most=100, **key).tokens == 70


# Whatever happens


class Story:
    """Requests that begin, end and are lost in any order, and the ledger beside the counters."""

    LIMITS = (tokens(300), tokens(900, Period.MONTH), running(4))

    def __init__(self, store):
        UsageRecord.objects.all().delete()
        QuotaWindow.objects.all().delete()
        Lease.objects.all().delete()
        if hasattr(store, "_redis"):
            store._redis.flushdb()
        die()
        self.store, self.now, self.holds = store, NOON, []
        self.late_tokens = 0

    def begin(self, size):
        try:
            hold, _ = accounting.begin(
                facts(key=None), self.LIMITS, Demand(size // 2 + 1, size + 1), self.now
            )
            self.holds.append(hold)
        except LimitReached:
            pass

    def finish(self, size):
        if self.holds:
            hold = self.holds.pop(size % len(self.holds))
            used = min(size, hold.tokens)
            is_lost = UsageRecord.objects.get(uid=hold.uid).status == "lost"
            self.late_tokens += used if is_lost else 0
            finish(hold, used)

    def crash(self, size):
        die()
        self.holds = []

    def late(self, size):
        """A stalled process: its lease runs out, and then it ends what it had.

        By then others may have been given what it held.
        """
        self.now += timedelta(seconds=70)
        me = accounting.HOLDER
        die()
        accounting.keep(self.now)
        accounting.HOLDER = me
        self.finish(size)

    def wait(self, size):
        self.now += timedelta(seconds=size * 300)
        accounting.keep(self.now)

    def check(self):
        for quota in self.LIMITS:
            (count,) = self.store.counts([quota], self.now)
            late = 0 if quota.period is Period.RUNNING else self.late_tokens
            assert count.used + count.reserved <= quota.limit + late

    def end(self):
        die()
        accounting.keep(self.now + timedelta(seconds=61))
        moments = {record.at for record in UsageRecord.objects.all()}
        for at, quota in itertools.product(moments, self.LIMITS):
            (count,) = self.store.counts([quota], at)
            start, end = quota.period.start(at), quota.period.end(at)
            ledger = UsageRecord.objects.between(start, end).num_tokens() if end else 0
            assert (count.used, count.reserved) == (ledger, 0)


ACTS = st.tuples(
    st.sampled_from(["begin", "begin", "begin", "finish", "finish", "crash", "wait", "late"]),
    st.integers(0, 120),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(acts=st.lists(ACTS, max_size=25))
def test_counters_equal_the_ledger_whatever_happens(store, acts):
    story = Story(store)
    for act, size in acts:
        getattr(story, act)(size)
        story.check()
    story.end()


def test_a_window_starts_with_what_the_ledger_has(alice):
    finish(begin(user=alice), 12)
    assert used_before(tokens(1, subject=f"user:{alice.pk}").window(NOON)) == 12
