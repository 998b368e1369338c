"""Sums for charts, and rows for spreadsheets."""

import csv
from datetime import UTC, date, datetime, timedelta

import pytest
from django.template.loader import render_to_string

from accounts import reports
from accounts.charts import Chart, Day, Sums, humanised
from accounts.models import UsageDay, UsageRecord
from tests.accounts.administration import asked

NOW = datetime(2025, 3, 10, 15, 0, tzinfo=UTC)
ALL = UsageRecord.objects.all


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2025, 3, day, hour, tzinfo=UTC)


def chart(days=7, **options) -> Chart:
    return reports.chart_by_day(ALL(), days, NOW, **options)


def rows(records, *columns):
    return [*csv.DictReader(reports.csv_rows(records, *columns))]


# By day


def test_every_day_of_the_stretch_is_there_and_today_is_the_last(db):
    days = chart().days

    assert [day.date for day in days] == [date(2025, 3, n) for n in range(4, 11)]
    assert {day.sums for day in days} == {Sums()}


def test_a_day_has_the_sums_of_its_requests(alice):
    asked(alice, at=at(9, 0), prompt_tokens=100, cached_tokens=40, completion_tokens=7)
    asked(alice, at=at(9, 23), prompt_tokens=10, cached_tokens=0, completion_tokens=3)

    assert chart().days[-2] == Day(date(2025, 3, 9), Sums(2, 0, 110, 40, 10))


def test_what_was_asked_before_the_stretch_is_left_out(alice):
    asked(alice, at=at(3, 23))

    assert chart().is_empty


def test_a_running_request_counts_and_has_no_tokens_yet(alice):
    numbers = dict.fromkeys(reports.TOKENS, 0)
    asked(alice, at=at(10), status="running", **numbers)

    assert chart().total == Sums(requests=1)


def test_errors_and_lost_requests_are_failures_and_cancelled_ones_are_not(alice):
    for status in ("stop", "length", "cancelled", "running", "lost", "server_error"):
        asked(alice, at=at(10), status=status)

    assert (chart().total.requests, chart().total.failures) == (6, 2)


def test_the_database_adds_up_in_one_query(alice, django_assert_num_queries):
    asked(alice, at=at(9))
    with django_assert_num_queries(1):
        chart()


# Days whose records are gone


def day_sums(day, **columns):
    usual = {"owner": "alice", "model": "fake", "requests": 5, "prompt_tokens": 500}
    return UsageDay.objects.create(day=day, **{**usual, **columns})


def test_days_whose_records_are_gone_come_from_their_sums(alice):
    day_sums(date(2025, 3, 7))
    asked(alice, at=at(9))
    days = chart(past=UsageDay.objects.all()).days

    assert [day.sums.requests for day in days] == [0, 0, 0, 5, 0, 1, 0]


def test_no_day_is_counted_twice(alice):
    asked(alice, at=at(7))
    day_sums(date(2025, 3, 7))
    day_sums(date(2025, 3, 8))

    assert chart(past=UsageDay.objects.all()).total.requests == 1


def test_old_sums_of_all_callers_of_a_model_are_added(alice):
    day_sums(date(2025, 3, 7))
    day_sums(date(2025, 3, 7), owner="bob", failures=2)
    asked(alice, at=at(9))
    bar = reports.sums_by(ALL(), "model", past=UsageDay.objects.all())[0]

    assert (bar.label, bar.sums) == ("fake", Sums(11, 2, 1006, 2, 4))


# By something


def test_bars_are_sorted_by_tokens_and_measured_by_the_longest(alice):
    asked(alice, model="small", prompt_tokens=5, cached_tokens=0, completion_tokens=5)
    asked(alice, model="large", prompt_tokens=20, cached_tokens=10, completion_tokens=20)
    bars = reports.sums_by(ALL(), "model")

    assert [bar.label for bar in bars] == ["large", "small"]
    assert [sum(part.length for part in bar.parts) for bar in bars] == [100, 25]


def test_without_requests_there_are_no_bars(db):
    assert reports.sums_by(ALL(), "model") == []


def test_the_median_time_to_the_first_token_is_of_answered_requests(alice):
    for queued in (1, 2, 9):
        asked(alice, queued_seconds=queued, prefill_seconds=0.5)
    asked(alice, queued_seconds=100, completion_tokens=0)

    assert reports.median_seconds_to_first_token(ALL()) == 2.5


def test_without_an_answer_there_is_no_median(db):
    assert reports.median_seconds_to_first_token(ALL()) is None


# Spreadsheets


def test_a_row_has_what_was_asked_by_whom(alice):
    asked(alice, at=at(9), request_id="req-1", address="10.0.0.1", decode_seconds=1.23456)
    row = rows(ALL())[0]

    assert row["at"] == "2025-03-09T12:00:00.000+00:00"
    assert (row["user"], row["owner"], row["model"]) == ("alice", "alice", "fake")
    assert (row["prompt_tokens"], row["completion_tokens"]) == ("6", "4")
    assert (row["request_id"], row["address"]) == ("req-1", "10.0.0.1")
    assert row["decode_seconds"] == "1.235"


def test_a_caller_without_an_account_has_an_owner_only(db):
    asked(at=at(9))
    row = rows(ALL())[0]

    assert (row["user"], row["owner"]) == ("", "config:ab12cd34")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_does_not_run_as_a_formula(alice, start):
    asked(alice, client=f"{start}cmd|' /C calc'!A0")

    assert rows(ALL())[0]["client"] == f"'{start}cmd|' /C calc'!A0"


def test_a_text_with_commas_quotes_and_line_breaks_stays_one_cell(alice):
    asked(alice, client='a, "b"\nc')

    assert rows(ALL())[0]["client"] == 'a, "b"\nc'


def test_only_the_columns_that_are_asked_for_are_there(alice):
    asked(alice)

    assert rows(ALL(), ["model", "status"]) == [{"model": "fake", "status": "stop"}]


def test_the_header_is_there_before_the_database_is_asked(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert next(reports.csv_rows(ALL(), ["at", "key"])) == "at,key\r\n"


# The drawing


def drawn(*sums: Sums) -> Chart:
    first = date(2025, 3, 1)
    return Chart([Day(first + timedelta(days=i), one) for i, one in enumerate(sums)])


def test_columns_stand_on_the_ground_one_colour_on_the_other():
    parts = drawn(Sums(1, 0, 60, 20, 40)).columns[0].parts
    grounds = [part.start + part.length for part in parts]

    assert [part.kind for part in parts] == ["computed", "cached", "completion"]
    assert [round(part.length / parts[0].length, 1) for part in parts] == [1, 0.5, 1]
    assert grounds == pytest.approx([Chart.frame.bottom, parts[0].start, parts[1].start])
    assert parts[-1].start == Chart.frame.top


def test_a_day_that_cost_nothing_has_no_colours():
    assert drawn(Sums(1), Sums(1, 0, 5)).columns[0].parts == []


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, "10"), (10, "10"), (11, "20"), (21, "50"), (99, "100"), (100, "100"), (101, "200"),
     (4_500_000, "5M")],
)  # fmt: skip
def test_the_scale_ends_just_above_the_longest_day(most, top):
    assert drawn(Sums(1, 0, most)).scale[-1].text == top


@pytest.mark.parametrize("days", [1, 7, 30, 90])
def test_few_days_are_named_and_the_last_is_one_of_them(days):
    chart = drawn(*[Sums(1)] * days)

    assert 1 <= len(chart.dates) <= 8
    assert chart.dates[-1].at == chart.columns[-1].middle


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (12_345, "12.3k"), (999_949, "999.9k"),
     (999_950, "1M"), (4_500_000, "4.5M"), (10**15, "1000T")],
)  # fmt: skip
def test_numbers_are_short(number, text):
    assert humanised(number) == text


def page(chart: Chart) -> str:
    return render_to_string("accounts/usage_chart.html", {"chart": chart})


def test_the_drawing_has_a_table_for_those_who_do_not_see_it():
    html = page(drawn(Sums(3, 0, 60, 20, 40)))

    assert '<th scope="row">2025-03-01</th><td>3</td><td>40</td><td>20</td><td>40</td>' in html
    assert "3 requests, 100 tokens" in html


def test_the_drawing_needs_neither_scripts_nor_inline_styles():
    html = page(drawn(Sums(3, 0, 60, 20, 40)))

    assert "<svg" in html
    assert "style=" not in html
    assert "<script" not in html


def test_an_empty_stretch_says_so():
    html = page(drawn(Sums(), Sums()))

    assert "Nothing was asked in these 2 days." in html
    assert "<svg" not in html
