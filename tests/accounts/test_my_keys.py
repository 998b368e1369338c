"""A person's own keys and usage, on their pages."""

import csv
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey, AuditEntry, Policy, UsageRecord, User
from accounts.pages import own_keys, views
from tests.accounts.site import browser_of, configured, text

KEYS = "/accounts/keys/"
KEY = re.compile(r"sk-[A-Za-z0-9]{8}-[A-Za-z0-9]{40}")
ACTIONS = ["my-key-rename", "my-key-rotate", "my-key-revoke"]


@pytest.fixture(autouse=True)
def site(settings):
    configured(settings)


@pytest.fixture
def browser(alice) -> Client:
    return browser_of(alice)


@pytest.fixture
def key(alice) -> ApiKey:
    return ApiKey.objects.issue(alice, "laptop")[0]


def make(browser, name="laptop", expires="never", **fields):
    return browser.post(KEYS, {"name": name, "expires": expires, **fields})


def secret(page) -> str:
    """The key that the page shows."""
    [shown] = set(KEY.findall(text(page)))
    return shown


def page_of(action, key) -> str:
    return reverse(action, args=[key.pk])


def use(user, key, **fields):
    fields = {"at": timezone.now(), "owner": f"user:{user.pk}", **fields}
    return UsageRecord.objects.create(uid=uuid.uuid4(), user=user, key=key, **fields)


# --- new ones


def test_a_new_key_is_shown_and_opens_the_api(browser, alice):
    made = ApiKey.objects.of_text(secret(make(browser)))
    assert (made.user, made.name, made.expires_at) == (alice, "laptop", None)


def test_it_is_shown_this_once_and_kept_nowhere(browser, caplog):
    page = make(browser)
    shown = secret(page).rpartition("-")[2]
    rows = [list(model.objects.values_list()) for model in apps.get_models()]
    sessions = [session.get_decoded() for session in Session.objects.all()]
    assert "no-store" in page.headers["cache-control"]
    assert "location" not in page.headers
    assert shown not in repr((rows, sessions, browser.cookies, caplog.text, page.headers))
    for path in (KEYS, "/"):
        assert shown not in text(browser.get(path))


@pytest.mark.parametrize(("choice", "days"), [("30", 30), ("90", 90), ("365", 365)])
def test_it_ends_after_the_chosen_days(browser, choice, days):
    make(browser, expires=choice)
    left = ApiKey.objects.get().expires_at - timezone.now()
    assert timedelta(days=days, minutes=-1) < left <= timedelta(days=days)


def test_it_ends_with_the_last_day(browser):
    day = (timezone.now() + timedelta(days=3)).date()
    make(browser, expires="date", last_day=day)
    end = ApiKey.objects.get().expires_at
    assert end == datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": " "}, "This field is required"),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"name": "two\nlines"}, "has characters that cannot be shown"),
        ({"name": "back\u202ewards"}, "has characters that cannot be shown"),
        ({"expires": "soon"}, "soon is not one of the available choices"),
        ({"expires": "date"}, "last day"),
        ({"expires": "date", "last_day": "never"}, "Enter a valid date"),
        ({"expires": "date", "last_day": "2020-01-01"}, "1 Jan 2020 is not between today and"),
        ({"expires": "date", "last_day": "9999-12-31"}, "31 Dec 9999 is not between today and"),
    ],
)
def test_bad_input_is_explained_and_makes_no_key(browser, fields, problem):
    assert problem in text(make(browser, **fields))
    assert not ApiKey.objects.exists()


def test_a_hundred_active_keys_are_the_most(browser, alice, monkeypatch):
    monkeypatch.setattr(own_keys, "MAX_ACTIVE", 2)
    make(browser)
    make(browser)
    page = make(browser)
    assert "active keys, and no more are allowed" in text(page)
    assert ApiKey.objects.owned_by(alice).active().count() == 2
    ApiKey.objects.first().revoke()
    assert secret(make(browser))


def test_rotating_does_not_pass_the_most_either(browser, monkeypatch, key):
    monkeypatch.setattr(own_keys, "MAX_ACTIVE", 1)
    page = page_of("my-key-rotate", key)
    assert "no more are allowed" in text(browser.post(page, {"old_ends": "24"}))
    assert ApiKey.objects.get() == key
    assert secret(browser.post(page, {"old_ends": "0"}))


def test_a_form_of_another_site_makes_no_key(alice):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert make(browser).status_code == 403
    assert not ApiKey.objects.exists()


# --- what there is


def test_a_persons_own_keys_are_listed_and_nobody_elses(browser, key, bob):
    ApiKey.objects.issue(bob, "of bob")
    page = text(browser.get(KEYS))
    assert key.shown in page
    assert "of bob" not in page


def test_a_name_is_a_text_and_no_markup(browser):
    name = "<script>alert(1)</script>"
    pages = [text(make(browser, name)), text(browser.get(KEYS))]
    pages += [text(browser.get(page_of(action, ApiKey.objects.get()))) for action in ACTIONS]
    assert not any("<script>alert" in page for page in pages)
    assert all("&lt;script&gt;alert" in page for page in pages)


def test_the_usage_of_each_key_is_that_of_thirty_days(browser, alice, key):
    use(alice, key, prompt_tokens=1000, completion_tokens=234)
    use(alice, key)
    use(alice, key, prompt_tokens=5, at=timezone.now() - timedelta(days=31))
    use(alice, None, prompt_tokens=5)
    [row] = browser.get(KEYS).context["active"]
    assert (row.requests, row.tokens) == (2, 1234)


def test_the_chart_has_the_persons_usage_alone(browser, alice, key, bob):
    use(alice, key, prompt_tokens=7)
    use(bob, None, prompt_tokens=1000)
    assert browser.get(KEYS).context["chart"].total.tokens == 7


def test_limits_are_said_in_words(browser, alice, key):
    group = Group.objects.create(name="research")
    alice.groups.add(group)
    Policy.objects.create(group=group, tokens_per_day=50_000, max_running=9)
    Policy.objects.create(
        user=alice, max_running=4, allowed_models=["small-*"], deterministic=False
    )
    Policy.objects.create(key=key, allowed_endpoints=["chat"], log_prompts=True)
    page = browser.get(KEYS)
    assert page.context["rules"] == [
        "Only these models: small-*",
        "At most 50,000 tokens a day (UTC), shared by the group research",
        "At most 4 requests at once",
        "No deterministic answers",
    ]
    [row] = page.context["active"]
    assert row.rules == ["Only these endpoints: chat", "Prompts and answers are kept"]
    assert "shared by the group research" in text(page)


def test_ended_keys_are_apart_and_cannot_be_changed(browser, alice, key):
    key.revoke()
    ApiKey.objects.issue(alice, "past", timezone.now() - timedelta(days=1))
    page = browser.get(KEYS)
    assert not page.context["active"]
    assert {row.key.state for row in page.context["ended"]} == {"revoked", "expired"}
    assert page_of("my-key-revoke", key) not in text(page)


# --- rename, rotate, revoke


def test_a_key_gets_another_name(browser, key):
    browser.post(page_of("my-key-rename", key), {"name": "desk"})
    key.refresh_from_db()
    assert key.name == "desk"


@pytest.mark.parametrize("name", ["", "x" * 101, "two\nlines"])
def test_a_bad_name_changes_nothing(browser, key, name):
    assert "errorlist" in text(browser.post(page_of("my-key-rename", key), {"name": name}))
    key.refresh_from_db()
    assert key.name == "laptop"


def test_renaming_a_key_that_is_being_revoked_leaves_it_revoked(browser, key, monkeypatch):
    read = views._own_key

    def read_and_lose_the_race(user, pk):
        found = read(user, pk)
        ApiKey.objects.get(pk=pk).revoke()
        return found

    monkeypatch.setattr(views, "_own_key", read_and_lose_the_race)
    browser.post(page_of("my-key-rename", key), {"name": "desk"})
    key.refresh_from_db()
    assert (key.name, key.state) == ("desk", "revoked")


@pytest.mark.parametrize(("choice", "hours"), [("1", 1), ("24", 24), ("168", 168)])
def test_rotating_shows_another_key_and_ends_the_old_one_later(browser, key, choice, hours):
    page = browser.post(page_of("my-key-rotate", key), {"old_ends": choice})
    new = ApiKey.objects.of_text(secret(page))
    key.refresh_from_db()
    left = key.expires_at - timezone.now()
    assert (key.replaced_by, new.name) == (new, key.name)
    assert timedelta(hours=hours, minutes=-1) < left <= timedelta(hours=hours)


def test_rotating_at_once_ends_the_old_key_at_once(browser, key):
    browser.post(page_of("my-key-rotate", key), {"old_ends": "0"})
    key.refresh_from_db()
    assert key.state == "expired"


def test_the_rules_of_a_key_go_to_the_one_that_replaces_it(browser, key):
    Policy.objects.create(key=key, tokens_per_day=5)
    page = browser.post(page_of("my-key-rotate", key), {"old_ends": "0"})
    assert ApiKey.objects.of_text(secret(page)).policy.tokens_per_day == 5


def test_a_key_is_rotated_once(browser, key):
    page = page_of("my-key-rotate", key)
    browser.post(page, {"old_ends": "24"})
    for again in (browser.get(page), browser.post(page, {"old_ends": "24"})):
        assert "has been rotated before" in text(again)
    assert ApiKey.objects.count() == 2


def test_an_ended_key_is_not_rotated(browser, key):
    key.revoke()
    page = browser.post(page_of("my-key-rotate", key), {"old_ends": "24"})
    assert "is revoked: make a new key instead" in text(page)
    assert ApiKey.objects.count() == 1


def test_the_page_asks_before_it_revokes(browser, key):
    assert "This cannot be undone" in text(browser.get(page_of("my-key-revoke", key)))
    key.refresh_from_db()
    assert key.state == "active"


def test_a_revoked_key_stays_revoked_since_then(browser, key):
    page = page_of("my-key-revoke", key)
    assert "is revoked." in text(browser.post(page, follow=True))
    key.refresh_from_db()
    revoked_at = key.revoked_at
    assert "was revoked before" in text(browser.post(page, follow=True))
    key.refresh_from_db()
    assert key.revoked_at == revoked_at is not None


def test_what_is_done_is_in_the_audit_log(browser, alice):
    make(browser)
    key = ApiKey.objects.get()
    browser.post(page_of("my-key-rename", key), {"name": "desk"})
    browser.post(page_of("my-key-rotate", key), {"old_ends": "24"})
    browser.post(page_of("my-key-revoke", key))
    done = AuditEntry.objects.filter(actor=alice, action__startswith="key.").order_by("number")
    assert list(done.values_list("action", flat=True)) == [
        "key.created",
        "key.changed",
        "key.created",
        "key.rotated",
        "key.revoked",
    ]


# --- Bob shares a group with Alice, Charlie nothing: neither sees her keys


@pytest.mark.parametrize("other", ["bob", "charlie"])
@pytest.mark.parametrize("action", ACTIONS)
def test_there_is_no_page_of_somebody_elses_key(request, key, action, other):
    group = Group.objects.create(name="team")
    group.user_set.set([key.user, request.getfixturevalue("bob")])
    browser = browser_of(request.getfixturevalue(other))
    before = ApiKey.objects.values().get()
    assert browser.get(page_of(action, key)).status_code == 404
    assert browser.post(page_of(action, key), {"name": "x", "old_ends": "0"}).status_code == 404
    assert ApiKey.objects.values().get() == before


def test_an_administrator_has_no_page_of_it_here_either(admin_client, key):
    assert admin_client.get(page_of("my-key-revoke", key)).status_code == 404


@pytest.mark.parametrize("number", ["0", "9" * 30])
def test_a_key_that_never_was_is_not_found(browser, number):
    assert browser.get(f"{KEYS}{number}/revoke/").status_code == 404


# --- the spreadsheet


def read(user, query="?days=30"):
    """The CSV file's rows; streamed as a server does it."""

    async def fetch():
        response = await browser.get(f"/accounts/usage.csv{query}")
        assert response.status_code == 200
        return b"".join([piece async for piece in response.streaming_content])

    browser = AsyncClient()
    browser.force_login(user)
    return list(csv.DictReader(async_to_sync(fetch)().decode().splitlines()))


def test_the_spreadsheet_has_the_persons_own_requests(alice, bob, key):
    use(alice, key, model="small", prompt_tokens=7, status="stop", key_label=str(key))
    use(bob, None, model="of bob")
    [row] = read(alice)
    assert (row["model"], row["prompt_tokens"], row["key"]) == ("small", "7", str(key))
    assert list(row) == [
        *("at", "key", "model", "endpoint", "status"),
        *("prompt_tokens", "cached_tokens", "completion_tokens"),
        *("queued_seconds", "prefill_seconds", "decode_seconds", "request_id"),
    ]


def test_it_goes_back_as_far_as_was_asked(alice, key):
    for days in (0, 6, 8):
        use(alice, key, at=timezone.now() - timedelta(days=days))
    assert [len(read(alice, query)) for query in ("", "?days=7", "?days=1")] == [3, 2, 1]


def test_a_text_in_it_is_no_formula(alice, key):
    use(alice, key, key_label="=cmd()", request_id="@SUM(1)")
    [row] = read(alice)
    assert (row["key"], row["request_id"]) == ("'=cmd()", "'@SUM(1)")


@pytest.mark.parametrize("days", ["", "0", "-1", "401", "x", "9" * 9, "1.5", "٣", "²"])
def test_days_that_are_none_are_refused_by_name(browser, days):
    page = browser.get("/accounts/usage.csv", {"days": days})
    assert page.status_code == 400
    assert text(page) == f"days: {days!r} is not a number from 1 to 400."


# --- without sign-in


def test_without_sign_in_everybody_is_the_local_user(db, settings):
    configured(settings, security={"enable_auth": False})
    browser = Client()
    assert "the API asks for no key" in text(browser.get(KEYS))
    assert keys.prefix_of(secret(make(browser)))
    assert ApiKey.objects.get().user == User.objects.local()


def test_then_even_an_administrators_pages_are_the_local_users(admin_user, settings):
    configured(settings, security={"enable_auth": False})
    make(browser_of(admin_user))
    assert ApiKey.objects.get().user == User.objects.local()
