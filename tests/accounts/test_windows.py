"""Periods: when they start, and when they start anew."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.quota.windows import EPOCH, Period, Quota, Window

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))
RECURRING = st.sampled_from([Period.MINUTE, Period.DAY, Period.MONTH])


def at(*numbers):
    return datetime(*numbers, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "now", "start", "end"),
    [
        (Period.MINUTE, at(2026, 5, 31, 12, 0, 30), at(2026, 5, 31, 12), at(2026, 5, 31, 12, 1)),
        (Period.MINUTE, at(2026, 12, 31, 23, 59, 59), at(2026, 12, 31, 23, 59), at(2027, 1, 1)),
        (Period.DAY, at(2026, 5, 31, 23, 59, 59, 999999), at(2026, 5, 31), at(2026, 6, 1)),
        (Period.DAY, at(2026, 6, 1), at(2026, 6, 1), at(2026, 6, 2)),
        (Period.DAY, at(2028, 2, 28, 5), at(2028, 2, 28), at(2028, 2, 29)),
        (Period.MONTH, at(2026, 5, 31, 12), at(2026, 5, 1), at(2026, 6, 1)),
        (Period.MONTH, at(2026, 12, 31), at(2026, 12, 1), at(2027, 1, 1)),
        (Period.MONTH, at(2027, 2, 28, 23), at(2027, 2, 1), at(2027, 3, 1)),
        (Period.MONTH, at(2028, 2, 29, 23), at(2028, 2, 1), at(2028, 3, 1)),
        (Period.MONTH, at(2026, 1, 1), at(2026, 1, 1), at(2026, 2, 1)),
        (Period.RUNNING, at(2026, 5, 31), EPOCH, None),
    ],
)
def test_a_period_starts_and_ends_in_utc(period, now, start, end):
    assert (period.start(now), period.end(now)) == (start, end)


@pytest.mark.parametrize(
    ("hours", "local", "start"),
    [
        (14, (2026, 6, 1, 3), at(2026, 5, 31)),
        (-11, (2026, 5, 31, 20), at(2026, 6, 1)),
        (2, (2026, 6, 1, 2), at(2026, 6, 1)),
    ],
)
def test_a_day_is_utcs_wherever_the_time_was_read(hours, local, start):
    now = datetime(*local, tzinfo=timezone(timedelta(hours=hours)))
    assert Period.DAY.start(now) == start
    assert Period.DAY.start(now).tzinfo is UTC


@settings(deadline=None)
@given(period=RECURRING, now=MOMENTS)
def test_windows_of_a_period_lie_side_by_side(period, now):
    start, end = period.start(now), period.end(now)
    assert start <= now < end
    assert period.start(start) == period.start(end - timedelta(microseconds=1)) == start
    assert period.start(end) == end


@settings(deadline=None)
@given(now=MOMENTS)
def test_what_runs_is_in_one_window_for_ever(now):
    assert Period.RUNNING.start(now) == EPOCH
    assert Period.RUNNING.end(now) is None


@settings(deadline=None)
@given(period=st.sampled_from(Period), now=MOMENTS, subject=st.text())
def test_a_window_survives_json(period, now, subject):
    window = Window(subject, period, period.start(now))
    assert Window.from_plain(json.loads(json.dumps(window.plain()))) == window


def test_a_window_in_json_is_short():
    window = Window("key:12", Period.DAY, at(1970, 1, 2))
    assert window.plain() == ["key:12", "day", 86400]


def test_a_quotas_window_is_the_one_of_now():
    quota = Quota("key:12", Period.MONTH, 1000, "tokens_per_month", "key laptop")
    assert quota.window(at(2026, 5, 31, 12)) == ("key:12", Period.MONTH, at(2026, 5, 1))
