"""Signing in with a provider of OpenID Connect."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts.models import User
from tests.accounts.identity_provider import IdentityProvider
from tests.accounts.site import browser_of, configured, is_signed_in, text

LOGIN = "/accounts/oidc/acme/login/"
OTHERS = ["", "signup/", "login/cancelled/", "login/error/"]


@pytest.fixture
def offer(settings):
    def offer_provider(server_url):
        client = {"client_id": "us", "client_secret": "a-secret"}
        provider = {"id": "acme", "name": "Acme", "server_url": server_url, **client}
        configured(settings, security={"oidc_providers": [provider]})
        app = {"provider_id": "acme", "name": "Acme", "client_id": "us", "secret": "a-secret"}
        apps = [{**app, "settings": {"server_url": server_url}}]
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": apps}}

    return offer_provider


@pytest.fixture
def acme(offer):
    with IdentityProvider() as provider:
        offer(provider.url)
        yield provider


@pytest.fixture
def browser(db):
    return Client()


def come_back(browser, leaving, **answer):
    state = parse_qs(urlsplit(leaving.headers["location"]).query)["state"][0]
    return browser.get(f"{LOGIN}callback/", {"state": state, **answer}, follow=True)


def test_the_page_of_sign_in_has_a_button_for_it(acme, browser):
    page = text(browser.get("/accounts/login/?next=/accounts/keys/"))
    assert "Continue with Acme" in page
    assert f'action="{LOGIN}?process=login&amp;next=%2Faccounts%2Fkeys%2F"' in page


def test_whoever_the_provider_knows_has_an_account(acme, browser):
    leaving = browser.post(LOGIN)
    assert leaving.headers["location"].startswith(f"{acme.url}/authorize?")
    come_back(browser, leaving, code="from-acme")
    assert User.objects.get().username == "grace"
    assert is_signed_in(browser)


def test_the_next_time_it_is_the_same_account(acme, browser):
    for one in (browser, Client()):
        come_back(one, one.post(LOGIN), code="from-acme")
    assert User.objects.count() == 1


def test_an_account_of_the_same_address_is_not_taken_over(acme, browser):
    grace = User.objects.create_user("gracie", "grace@example.org", "a-long-password")
    page = come_back(browser, browser.post(LOGIN), code="from-acme")
    assert "One more step" in text(page)
    assert not is_signed_in(browser)
    assert not grace.socialaccount_set.exists()


def test_following_a_link_signs_nobody_in(acme, browser):
    page = browser.get(LOGIN)
    assert page.status_code == 200
    assert "Sign in with Acme" in text(page)


def test_an_answer_to_nothing_that_was_asked_is_refused(acme, browser):
    page = browser.get(f"{LOGIN}callback/", {"state": "made-up", "code": "from-acme"})
    assert page.status_code == 401
    assert "could not be signed in" in text(page)
    assert not User.objects.exists()


def test_whoever_cancels_there_can_try_again(acme, browser):
    page = come_back(browser, browser.post(LOGIN), error="access_denied")
    assert "You cancelled it there" in text(page)


def test_a_provider_that_is_down_is_explained(offer, browser):
    offer("http://127.0.0.1:9")
    page = browser.post(LOGIN)
    assert page.status_code == 503
    assert "could not be signed in" in text(page)


def test_a_person_connects_an_account_that_they_have(acme, alice):
    browser = browser_of(alice)
    assert "Connect Acme" in text(browser.get("/accounts/3rdparty/"))
    come_back(browser, browser.post(f"{LOGIN}?process=connect"), code="from-acme")
    assert alice.socialaccount_set.get().uid == "7"


def test_without_a_provider_there_is_nothing_of_it(alice, settings):
    configured(settings)
    assert "Continue with" not in text(Client().get("/accounts/login/"))
    browser = browser_of(alice)
    assert "Single sign-on" not in text(browser.get("/"))
    for path in (LOGIN, f"{LOGIN}callback/", *(f"/accounts/3rdparty/{path}" for path in OTHERS)):
        assert browser.get(path).status_code == 404


def test_a_provider_that_is_not_configured_is_not_found(acme, browser):
    assert browser.post("/accounts/oidc/other/login/").status_code == 404
