"""Sign-in, and what belongs to it."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal import auth as totp
from django.core import mail
from django.test import Client

from accounts.models import User
from tests.accounts.site import PASSWORD, browser_of, configured, is_signed_in, sign_in, text

NEW = "another-long-one-7"
MAIL = {"host": "mail.example.org"}


@pytest.fixture(autouse=True)
def site(settings):
    configured(settings)


@pytest.fixture
def browser():
    return Client()


# --- in and out


@pytest.mark.parametrize("name", ["alice", "alice@example.org", " alice "])
def test_a_person_signs_in_by_name_or_address(alice, browser, name):
    assert sign_in(browser, name).headers["location"] == "/"
    assert is_signed_in(browser)


@pytest.mark.parametrize("password", ["wrong", PASSWORD.upper(), PASSWORD + " "])
def test_a_wrong_password_is_refused(alice, browser, password):
    assert "are not correct" in text(sign_in(browser, "alice", password))
    assert not is_signed_in(browser)


def test_a_stranger_is_told_the_same_as_who_is_wrong(alice):
    stranger, wrong = (text(sign_in(Client(), name, "wrong")) for name in ("nobody", "alice"))
    without_token = re.compile(r'value="\w{64}"')
    assert without_token.sub("", stranger).replace("nobody", "alice") == without_token.sub(
        "", wrong
    )


def test_whoever_is_not_active_is_told_so(alice, browser):
    User.objects.update(is_active=False)
    page = browser.get(sign_in(browser, "alice").headers["location"])
    assert "not active" in text(page)
    assert not is_signed_in(browser)


def test_the_local_user_cannot_sign_in(db, browser):
    User.objects.local()
    for password in ("", "local", "!"):
        sign_in(browser, "local", password)
    assert not is_signed_in(browser)


def test_looking_at_the_sign_out_page_signs_nobody_out(alice):
    browser = browser_of(alice)
    assert "Sign out?" in text(browser.get("/accounts/logout/"))
    assert is_signed_in(browser)


def test_a_post_signs_out(alice):
    browser = browser_of(alice)
    browser.post("/accounts/logout/")
    assert not is_signed_in(browser)


def test_a_form_of_another_site_signs_nobody_out(alice):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    page = browser.post("/accounts/logout/")
    assert page.status_code == 403
    assert "came from another site" in text(page)
    assert is_signed_in(browser)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("/accounts/keys/?a=1", "/accounts/keys/?a=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("https:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\\evil.example", "/"),
    ],
)
def test_sign_in_leads_back_but_never_to_another_site(alice, browser, wanted, given):
    answer = browser.post(
        "/accounts/login/", {"login": "alice", "password": PASSWORD, "next": wanted}
    )
    assert answer.headers["location"] == given


# --- guessing


def test_after_five_wrong_passwords_the_right_one_has_to_wait(alice, bob, browser):
    for _ in range(5):
        sign_in(browser, "alice", "wrong")
    assert "Too many failed login attempts" in text(sign_in(browser, "alice"))
    assert not is_signed_in(browser)
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    sign_in(elsewhere, "bob")
    assert is_signed_in(elsewhere)


def test_wrong_passwords_for_many_accounts_are_counted_by_address(alice, browser):
    for i in range(10):
        sign_in(browser, f"nobody-{i}", "wrong")
    assert "Too many failed login attempts" in text(sign_in(browser, "alice"))
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    sign_in(elsewhere, "alice")
    assert is_signed_in(elsewhere)


def test_a_made_up_forwarded_address_does_not_help_to_guess(alice, browser):
    for i in range(10):
        headers = {"x-forwarded-for": f"192.0.2.{i}"}
        sign_in(browser, f"nobody-{i}", "wrong", headers=headers)
    page = sign_in(browser, "alice", headers={"x-forwarded-for": "192.0.2.99"})
    assert "Too many failed login attempts" in text(page)


def test_behind_a_trusted_proxy_everybody_is_counted_alone(alice, browser, settings):
    configured(settings, server={"trusted_proxies": ["127.0.0.1"]})
    for i in range(10):
        sign_in(browser, f"nobody-{i}", "wrong", headers={"x-forwarded-for": "192.0.2.1"})
    sign_in(browser, "alice", headers={"x-forwarded-for": "192.0.2.2"})
    assert is_signed_in(browser)


def test_guessing_is_slowed_down_at_the_administrations_door_too(alice, browser):
    User.objects.update(is_staff=True, is_superuser=True)
    door = browser.get("/admin/login/?next=/admin/")
    assert door.headers["location"] == "/accounts/login/?next=%2Fadmin%2F"
    guess = browser.post("/admin/login/", {"username": "alice", "password": PASSWORD})
    assert guess.status_code == 302
    assert not is_signed_in(browser)


# --- administrators


def test_an_administrator_gets_in(admin_client):
    assert admin_client.get("/admin/").status_code == 200


def test_whoever_is_none_is_told_so_and_not_sent_in_circles(alice):
    page = browser_of(alice).get("/admin/", follow=True)
    assert page.status_code == 403
    assert "signed in as alice, who may not see this page" in text(page)


def test_a_site_without_anybody_says_how_to_begin(db, browser):
    assert "manage.py createsuperuser" in text(browser.get("/accounts/login/"))


def test_a_site_with_somebody_does_not(alice, browser):
    assert "createsuperuser" not in text(browser.get("/accounts/login/"))


def test_the_local_user_is_nobody(db, browser):
    User.objects.local()
    assert "manage.py createsuperuser" in text(browser.get("/accounts/login/"))


# --- passwords


def change(browser, old, new):
    return browser.post(
        "/accounts/password/change/", {"oldpassword": old, "password1": new, "password2": new}
    )


def test_a_password_is_changed_and_the_browser_stays_signed_in(alice):
    browser = browser_of(alice)
    change(browser, PASSWORD, NEW)
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert is_signed_in(browser)


def test_a_change_of_password_ends_other_sessions(alice):
    elsewhere = browser_of(alice)
    change(browser_of(alice), PASSWORD, NEW)
    assert not is_signed_in(elsewhere)


@pytest.mark.parametrize(("old", "new"), [("wrong", NEW), (PASSWORD, "12345"), (PASSWORD, "alice")])
def test_a_change_needs_the_old_password_and_a_good_new_one(alice, old, new):
    assert 'class="errorlist"' in text(change(browser_of(alice), old, new))
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def ask_for_reset(browser, address):
    return browser.post("/accounts/password/reset/", {"email": address}, follow=True)


def test_without_mail_the_page_says_whom_to_ask(alice, browser):
    assert "/accounts/password/reset/" not in text(browser.get("/accounts/login/"))
    for page in (browser.get("/accounts/password/reset/"), ask_for_reset(browser, alice.email)):
        assert "Ask an administrator" in text(page)
        assert 'name="email"' not in text(page)
    assert browser.get("/accounts/password/reset/done/").status_code == 404
    assert not mail.outbox


def test_with_mail_a_link_sets_a_new_password_once(alice, browser, settings):
    configured(settings, email=MAIL)
    assert "Forgot your password?" in text(browser.get("/accounts/login/"))
    assert "Look into your mail" in text(ask_for_reset(browser, alice.email))
    [message] = mail.outbox
    assert (message.to, message.subject) == ([alice.email], "llmsite: Set a new password")
    [link] = re.findall(r"http://testserver(\S+)", message.body)
    form = browser.get(link, follow=True)
    browser.post(form.request["PATH_INFO"], {"password1": NEW, "password2": NEW})
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert "does not work any more" in text(Client().get(link, follow=True))


def test_the_link_is_to_the_address_that_people_open(alice, browser, settings):
    configured(settings, email=MAIL, server={"public_url": "https://llm.example.org"})
    ask_for_reset(browser, alice.email)
    assert "https://llm.example.org/accounts/password/reset/key/" in mail.outbox[0].body


def test_no_link_is_sent_to_a_host_that_whoever_asks_has_chosen(alice, browser, settings):
    settings.ALLOWED_HOSTS = ["*"]
    configured(settings, email=MAIL)
    asked = {"email": alice.email}
    page = browser.post("/accounts/password/reset/", asked, headers={"host": "attacker.example"})
    assert "Ask an administrator" in text(page)
    assert not mail.outbox

    configured(settings, email=MAIL, server={"public_url": "https://llm.example.org"})
    browser.post("/accounts/password/reset/", asked, headers={"host": "attacker.example"})
    assert "https://llm.example.org/accounts/password/reset/key/" in mail.outbox[0].body


def test_strangers_get_no_mail_and_nobody_learns_who_they_are(alice, browser, settings):
    configured(settings, email=MAIL)
    known, unknown = (
        text(ask_for_reset(browser, address)) for address in (alice.email, "stranger@example.org")
    )
    token = re.compile(r'value="\w{64}"')  # of a form, another every time
    assert token.sub("", known) == token.sub("", unknown)
    assert [message.to for message in mail.outbox] == [[alice.email]]


def test_a_former_address_gets_no_mail(alice, browser, settings):
    configured(settings, email=MAIL)
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True)
    former, alice.email = alice.email, "alice@elsewhere.example"
    alice.save()
    ask_for_reset(browser, former)
    assert mail.outbox == []


def test_a_mail_server_that_fails_does_not_tell_who_has_an_account(
    alice, browser, settings, monkeypatch
):
    configured(settings, email=MAIL)

    def fail(*args, **kwargs):
        raise ConnectionRefusedError

    monkeypatch.setattr("django.core.mail.EmailMessage.send", fail)
    assert "Look into your mail" in text(ask_for_reset(browser, alice.email))


def test_too_many_requests_for_links_get_a_page_that_says_so(alice, browser, settings):
    configured(settings, email=MAIL)
    pages = [ask_for_reset(browser, alice.email) for _ in range(6)]
    assert [page.status_code for page in pages] == [200] * 5 + [429]
    assert "Too many tries" in text(pages[-1])


# --- sign-up

GRACE = {"username": "grace", "email": "grace@example.org", "password1": NEW, "password2": NEW}


def test_nobody_can_sign_up_by_default(db, browser):
    assert "signup" not in text(browser.get("/accounts/login/"))
    for page in (browser.get("/accounts/signup/"), browser.post("/accounts/signup/", GRACE)):
        assert "Accounts are made by administrators" in text(page)
    assert not User.objects.exists()


def test_where_it_is_allowed_people_sign_up(db, browser, settings):
    configured(settings, security={"allow_sign_up": True})
    assert "/accounts/signup/" in text(browser.get("/accounts/login/"))
    browser.post("/accounts/signup/", GRACE)
    grace = User.objects.get(username="grace")
    assert not grace.is_staff
    assert not grace.is_superuser
    assert is_signed_in(browser)


@pytest.mark.parametrize("taken", [{"username": "alice"}, {"email": "alice@example.org"}])
def test_a_name_or_address_that_is_taken_is_refused(alice, browser, settings, taken):
    configured(settings, security={"allow_sign_up": True})
    assert "already" in text(browser.post("/accounts/signup/", {**GRACE, **taken}))
    assert User.objects.get() == alice


@pytest.mark.parametrize("name", ["local", "Local"])
def test_nobody_signs_up_as_the_local_user(db, browser, settings, name):
    configured(settings, security={"allow_sign_up": True})
    browser.post("/accounts/signup/", {**GRACE, "username": name})
    assert not User.objects.exists()


# --- a second factor


@pytest.fixture
def confirmed(alice, settings):
    """Alice's browser, where she has just given her password once more."""
    configured(settings, security={"enable_totp": True})
    browser = browser_of(alice)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return browser


@pytest.fixture
def protected(confirmed):
    """The same, once she has set up an authenticator app."""
    browser = confirmed
    page = browser.get("/accounts/2fa/totp/activate/")
    counter = next(totp.yield_hotp_counters_from_time())
    code = totp.format_hotp_value(totp.hotp_value(page.context["form"].secret, counter))
    browser.codes = browser.post("/accounts/2fa/totp/activate/", {"code": code}, follow=True)
    return browser


def test_setting_it_up_shows_recovery_codes(protected):
    assert "Recovery codes" in text(protected.codes)
    assert len(protected.codes.context["unused_codes"]) == 10


def test_it_is_set_up_only_with_a_right_code(confirmed):
    page = confirmed.post("/accounts/2fa/totp/activate/", {"code": "nothing"})
    assert "Incorrect code" in text(page)
    assert "Not active" in text(confirmed.get("/accounts/2fa/"))


def test_it_is_set_up_only_after_the_password(alice, settings):
    configured(settings, security={"enable_totp": True})
    page = browser_of(alice).get("/accounts/2fa/totp/activate/")
    assert page.headers["location"].startswith("/accounts/reauthenticate/")


def test_then_a_password_is_not_enough(protected, browser):
    assert sign_in(browser, "alice").headers["location"] == "/accounts/2fa/authenticate/"
    assert not is_signed_in(browser)
    assert "Incorrect code" in text(
        browser.post("/accounts/2fa/authenticate/", {"code": "00000000"})
    )
    assert not is_signed_in(browser)


def test_a_recovery_code_lets_in_once(protected):
    code = protected.codes.context["unused_codes"][0]
    first, second = Client(), Client()
    for browser in (first, second):
        sign_in(browser, "alice")
        browser.post("/accounts/2fa/authenticate/", {"code": code})
    assert (is_signed_in(first), is_signed_in(second)) == (True, False)


def test_it_holds_at_the_administrations_door_too(protected, browser):
    User.objects.update(is_staff=True, is_superuser=True)
    sign_in(browser, "alice")
    assert browser.get("/admin/").headers["location"].startswith("/admin/login/")


def test_it_holds_and_can_be_ended_when_it_is_offered_no_more(protected, browser, settings):
    configured(settings)
    assert sign_in(browser, "alice").headers["location"] == "/accounts/2fa/authenticate/"
    assert "Two-factor sign-in" in text(protected.get("/"))
    protected.post("/accounts/2fa/totp/deactivate/")
    later = Client()
    sign_in(later, "alice")
    assert is_signed_in(later)


def test_where_it_is_not_offered_there_are_no_pages_for_it(alice):
    browser = browser_of(alice)
    assert "Two-factor" not in text(browser.get("/"))
    for page in ("", "totp/activate/", "totp/deactivate/", "recovery-codes/generate/"):
        assert browser.get(f"/accounts/2fa/{page}").status_code == 404


def test_a_stolen_session_cannot_end_it_without_the_password(protected, alice):
    page = browser_of(alice).post("/accounts/2fa/totp/deactivate/")
    assert page.headers["location"].startswith("/accounts/reauthenticate/")
    assert alice.authenticator_set.filter(type="totp").exists()
