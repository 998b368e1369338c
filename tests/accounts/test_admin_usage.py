"""The ledger in the administration: the list, the charts and the download."""

import csv

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from accounts.admin.usage_report import longest
from accounts.charts import Bar, Sums
from accounts.models import AuditEntry, UsageRecord
from tests.accounts.administration import asked, browser, root, staff, text_of

LIST = "/admin/accounts/usagerecord/"
REPORT = f"{LIST}report/"
EXPORT = f"{LIST}export/"


@pytest.fixture
def admin(db):
    return browser(root())


def page_of(record, what="change"):
    return f"{LIST}{record.pk}/{what}/"


# The list


@pytest.mark.parametrize(
    ("outcome", "found"),
    [
        ("running", {"running"}),
        ("answered", {"stop", "length"}),
        ("cancelled", {"cancelled"}),
        ("failed", {"lost", "server_error"}),
    ],
)
def test_the_list_is_narrowed_by_what_came_of_requests(admin, alice, outcome, found):
    statuses = ["running", "stop", "length", "cancelled", "lost", "server_error"]
    records = {status: asked(alice, status=status) for status in statuses}
    html = text_of(admin.get(LIST, {"outcome": outcome}))

    assert {status for status in statuses if page_of(records[status]) in html} == found


@pytest.mark.parametrize(
    ("query", "is_alices"),
    [
        ({"model": "small"}, True),
        ({"endpoint": "completions"}, True),
        ({"q": "req-alice"}, True),
        ({"q": "alice"}, True),
        ({"q": "config:"}, False),
    ],
)
def test_the_list_is_narrowed_and_searched(admin, alice, query, is_alices):
    hers = asked(alice, model="small", endpoint="completions", request_id="req-alice")
    other = asked(request_id="req-other")
    html = text_of(admin.get(LIST, query))

    assert (page_of(hers) in html) is is_alices
    assert (page_of(other) in html) is not is_alices


def test_the_list_is_narrowed_to_a_person(admin, alice, bob):
    hers, his = asked(alice), asked(bob)
    html = text_of(admin.get(LIST, {"user__id__exact": alice.pk}))

    assert page_of(hers) in html
    assert page_of(his) not in html


def test_nobody_changes_the_ledger(admin, alice):
    record = asked(alice)

    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(page_of(record), {"model": "other"}).status_code == 403
    assert admin.post(page_of(record, "delete"), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [record.pk], "post": "yes"}
    admin.post(LIST, chosen)
    assert UsageRecord.objects.get().model == "fake"


def test_a_request_is_shown_whole(admin, alice):
    record = asked(alice, request_id="req-1", client="curl/8", address="10.0.0.1")
    html = text_of(admin.get(page_of(record)))

    assert all(text in html for text in ("req-1", "curl/8", "10.0.0.1", "alice", "fake"))


# The charts


def test_the_report_has_a_chart_totals_models_and_callers(admin, alice):
    asked(alice, model="small", prompt_tokens=12_000)
    asked(model="large", status="server_error", days_ago=2)
    html = text_of(admin.get(REPORT))

    assert '<svg viewBox="0 0 840' in html
    assert "12k" in html
    assert all(name in html for name in ("small", "large", "alice", "config:ab12cd34"))


@pytest.mark.parametrize("days", [7, 30, 90])
def test_the_report_is_of_as_many_days_as_are_asked_for(admin, alice, days):
    asked(alice, model="within", days_ago=days - 1)
    asked(alice, model="before", days_ago=days)
    html = text_of(admin.get(REPORT, {"days": days}))

    assert "within" in html
    assert "before" not in html


@pytest.mark.parametrize("days", ["8", "-7", "many", "", "7 "])
def test_other_days_are_refused_by_name(admin, days):
    assert admin.get(REPORT, {"days": days}).status_code == 400


def test_without_requests_the_report_says_so(admin):
    html = text_of(admin.get(REPORT, {"days": 7}))

    assert "Nothing was asked in these 7 days." in html


def test_someone_without_an_account_any_more_keeps_the_name(admin, alice):
    asked(alice)
    alice.delete()

    assert "alice" in text_of(admin.get(REPORT))


def test_many_callers_are_shown_as_a_few_and_the_others():
    bars = [Bar(f"caller {n}", Sums(1, 0, 100 - n), 100) for n in range(20)]
    shown = longest(bars, 3)

    assert [bar.label for bar in shown] == ["caller 0", "caller 1", "caller 2", "17 others"]
    assert sum((bar.sums for bar in shown), Sums()) == sum((bar.sums for bar in bars), Sums())
    assert max(part.start + part.length for bar in shown for part in bar.parts) == 100


def test_few_callers_are_shown_as_they_are():
    bars = [Bar("alice", Sums(1, 0, 100), 100)]

    assert longest(bars, 3) == bars


def test_the_report_takes_few_queries(admin, alice, django_assert_max_num_queries):
    for n in range(20):
        asked(alice, model=f"model {n}", days_ago=n)
    with django_assert_max_num_queries(13):
        admin.get(REPORT)


# The download


async def downloaded(user, **query):
    client = AsyncClient()
    await client.aforce_login(user)
    response = await client.get(EXPORT, query)
    assert response.status_code == 200
    text = "".join([piece.decode() async for piece in response.streaming_content])
    return response, [*csv.DictReader(text.splitlines())]


async def test_the_download_has_what_the_list_shows(transactional_db):
    boss = await sync_to_async(root)()
    await sync_to_async(asked)(model="small")
    await sync_to_async(asked)(model="large")
    response, rows = await downloaded(boss, model="small")

    assert [row["model"] for row in rows] == ["small"]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="usage.csv"'
    assert "no-store" in response["Cache-Control"]


async def test_a_large_download_comes_in_pieces(transactional_db):
    boss = await sync_to_async(root)()
    record = await sync_to_async(asked)()
    copies = [UsageRecord(**columns_of(record), uid=f"{n:032x}") for n in range(1200)]
    await UsageRecord.objects.abulk_create(copies)
    client = AsyncClient()
    await client.aforce_login(boss)
    response = await client.get(EXPORT)
    pieces = [piece async for piece in response.streaming_content]

    assert len(pieces) == 3
    assert b"".join(pieces).count(b"\r\n") == 1 + 1201


def columns_of(record):
    names = ("at", "owner", "model", "endpoint", "status", "prompt_tokens")
    return {name: getattr(record, name) for name in names}


async def test_a_download_is_in_the_audit_log(transactional_db):
    boss = await sync_to_async(root)()
    await downloaded(boss, model="small")
    entry = await AuditEntry.objects.aget(action="usage.exported")

    assert (entry.actor_name, entry.after) == ("root", {"filter": "model=small"})


async def test_a_filter_that_does_not_exist_is_refused(transactional_db):
    client = AsyncClient()
    await client.aforce_login(await sync_to_async(root)())

    assert (await client.get(EXPORT, {"at__gte": "yesterday"})).status_code == 400


# Who may


@pytest.mark.parametrize("page", [LIST, REPORT, EXPORT])
def test_staff_without_rights_sees_nothing(db, page):
    assert browser(staff("sam")).get(page).status_code == 403
    assert not AuditEntry.objects.filter(action="usage.exported").exists()


async def test_who_may_look_may_look_at_charts_and_download(transactional_db):
    sam = await sync_to_async(staff)("sam", "view_usagerecord")
    await sync_to_async(asked)()
    visitor = await sync_to_async(browser)(sam)

    assert (await sync_to_async(visitor.get)(REPORT)).status_code == 200
    _, rows = await downloaded(sam)
    assert len(rows) == 1
