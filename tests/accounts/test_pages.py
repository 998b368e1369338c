"""Who may see which page, and what all pages have in common."""

import re
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

import accounts.pages.urls
import chat.urls
from accounts.models import User
from tests.accounts.site import browser_of, configured, text

# For whoever has not signed in: what leads there, and where they are sent from elsewhere.
OPEN = {
    *("account_login", "account_logout", "account_inactive", "account_signup"),
    *("account_reset_password", "account_reset_password_done"),
    *("account_reset_password_from_key", "account_reset_password_from_key_done"),
    *("mfa_authenticate", "openid_connect_login", "openid_connect_callback"),
    *("socialaccount_login_cancelled", "socialaccount_login_error", "socialaccount_signup"),
    "set_language",
    "shared",  # for whoever has the link
}
PATTERNS = [*accounts.pages.urls.urlpatterns, *chat.urls.urlpatterns]
ARGUMENTS = {
    "uid": UUID(int=1),
    "pk": 1,
    "provider_id": "acme",
    "uidb36": "1",
    "key": "abc",
    "message": UUID(int=2),
    "place": "recent",
}
CLOSED = sorted(
    reverse(one.name, kwargs={name: ARGUMENTS[name] for name in one.pattern.converters})
    for one in PATTERNS
    if one.name and one.name not in OPEN
)
INLINE = re.compile(r"<style|\son\w+=|\sstyle=|<script(?![^>]* src=)|https?://(?!testserver)")


@pytest.fixture(autouse=True)
def site(settings):
    configured(settings)


# --- who


@pytest.mark.parametrize("path", ["/accounts/", *CLOSED])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_page_is_for_whoever_signed_in(db, path, method):
    answer = getattr(Client(), method)(path)
    assert answer.headers["location"].startswith(f"/accounts/login/?next={path}")


@pytest.mark.parametrize("path", CLOSED)
def test_a_script_gets_no_page_to_sign_in_for_an_answer(db, path):
    assert Client(headers={"sec-fetch-mode": "cors"}).post(path).status_code == 401
    assert Client(headers={"sec-fetch-mode": "navigate"}).post(path).status_code == 302


@pytest.mark.parametrize(
    ("shown", "then"),
    [
        ("http://testserver/c/list/recent/?after=1", "/c/list/recent/%3Fafter%3D1"),
        ("http://elsewhere/", "/"),
        ("http://[", "/"),
    ],
)
def test_htmx_leads_the_page_that_is_shown_to_sign_in(db, shown, then):
    browser = Client(headers={"hx-request": "true", "hx-current-url": shown})
    answer = browser.get("/c/list/recent/")
    assert answer.headers["hx-redirect"] == f"/accounts/login/?next={then}"
    assert answer.content == b""


def test_it_is_so_for_pages_that_nobody_thought_of(db, settings):
    settings.ROOT_URLCONF = "tests.accounts.forgetful_urls"
    assert Client().get("/forgotten/").status_code == 302


def test_the_door_is_open(db):
    assert Client().get("/accounts/login/").status_code == 200


@pytest.mark.parametrize("path", ["/health", "/static/css/site.css", "/static/js/copy.js"])
def test_so_are_health_and_static_files(db, path):
    assert Client().get(path).status_code == 200


@pytest.mark.parametrize("path", ["/", "/accounts/keys/", "/accounts/keys/?a=1"])
def test_without_sign_in_pages_are_open_to_all(db, settings, path):
    configured(settings, security={"enable_auth": False})
    assert Client().get(path).status_code == 200


def test_without_sign_in_the_administration_still_needs_it(db, settings):
    configured(settings, security={"enable_auth": False})
    page = Client().get("/admin/", follow=True)
    assert page.redirect_chain[-1][0].startswith("/accounts/login/")
    assert "Only the administration needs it here" in text(page)


@pytest.mark.parametrize("path", ["email/", "confirm-email/", "login/code/", "sessions/"])
def test_there_are_no_pages_that_nobody_uses(alice, path):
    assert browser_of(alice).get(f"/accounts/{path}").status_code == 404


def test_the_first_page_of_accounts_is_my_keys(alice):
    assert browser_of(alice).get("/accounts/").headers["location"] == "/accounts/keys/"


# --- what


def seen_by(browser, *paths):
    return [text(browser.get(path)) for path in paths]


def test_nothing_is_inline_or_from_elsewhere(alice, settings):
    configured(settings, security={"enable_totp": True, "allow_sign_up": True})
    pages = seen_by(Client(), "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/")
    pages += seen_by(browser_of(alice), "/", "/accounts/keys/", "/accounts/2fa/", "/nowhere/")
    found = [INLINE.findall(page) for page in pages]
    assert not any(found)


def test_every_field_has_a_label(alice):
    [page] = seen_by(browser_of(alice), "/accounts/keys/")
    fields = re.findall(r'<(?:input|select)[^>]* id="(\w+)"', page)
    assert fields == ["id_name", "id_expires", "id_last_day"]
    assert all(f'<label for="{field}">' in page for field in fields)


def test_the_keyboard_gets_to_the_content_first(alice):
    [page] = seen_by(browser_of(alice), "/")
    assert re.search(r"<a [^>]*>", page)[0] == '<a class="skip" href="#content">'
    assert '<main id="content"' in page


def test_whoever_signed_in_is_named_as_a_text(alice):
    User.objects.update(first_name="<b>Alice", last_name="</b>")
    [page] = seen_by(browser_of(alice), "/")
    assert "&lt;b&gt;Alice &lt;/b&gt;" in page
    assert "<b>Alice" not in page


def test_the_administration_is_shown_to_administrators(alice, admin_client):
    link = 'href="/admin/"'
    assert link in text(admin_client.get("/"))
    assert link not in text(browser_of(alice).get("/"))


def test_signing_out_is_a_form(alice):
    [page] = seen_by(browser_of(alice), "/")
    assert '<form method="post" action="/accounts/logout/">' in page


@pytest.mark.parametrize("path", ["/nowhere/", "/accounts/keys/7/revoke/"])
def test_what_is_not_there_has_a_page_that_says_so(alice, path):
    page = browser_of(alice).get(path)
    assert page.status_code == 404
    assert "There is nothing here" in text(page)


def test_a_failure_has_a_page_that_needs_nothing(alice, monkeypatch):
    def fail(*args):
        raise ZeroDivisionError

    monkeypatch.setattr("inference.runtime.catalogue", fail)
    browser = browser_of(alice)
    browser.raise_request_exception = False
    page = browser.get("/")
    assert page.status_code == 500
    assert "Something broke" in text(page)
