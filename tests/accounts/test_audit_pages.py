"""What people do on the pages is in the audit log, once each."""

import re
import uuid
from types import SimpleNamespace

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.models import AuditEntry, AuditHead, PromptRecord, User

PASSWORD = "a-long-password"
NEW_PASSWORD = "quite-another-one"


@pytest.fixture(autouse=True)
def site(settings):
    """With authentication; mail is kept by the test."""
    config = django_settings.CONFIG
    security = config.security.model_copy(update={"enable_auth": True})
    sections = {name: getattr(config, name) for name in type(config).model_fields}
    email = config.email.model_copy(update={"host": "mail.example.org"})
    settings.CONFIG = SimpleNamespace(**{**sections, "security": security, "email": email})


@pytest.fixture
def browser(client):
    client.defaults |= {"REMOTE_ADDR": "192.0.2.7", "HTTP_X_REQUEST_ID": "req-of-test"}
    return client


@pytest.fixture
def new_entries():
    """What was recorded since this was last called."""
    seen = 0

    def new_entries():
        nonlocal seen
        entries = AuditEntry.objects.filter(number__gt=seen).order_by("number")
        found = [(e.action, e.target, e.actor_name) for e in entries]
        assert {(e.address, e.request_id) for e in entries} <= {("192.0.2.7", "req-of-test")}
        seen += len(found)
        return found

    return new_entries


@pytest.fixture
def alice(db):
    user = User.objects.create_user("alice", "alice@example.org", PASSWORD)
    AuditEntry.objects.all().delete()
    AuditHead.objects.all().delete()
    return user


def sign_in(browser, login, password):
    return browser.post(reverse("account_login"), {"login": login, "password": password})


def test_signing_in_and_out(browser, alice, new_entries):
    target = f"user:{alice.pk} alice"

    sign_in(browser, "alice", PASSWORD)
    assert new_entries() == [("user.signed_in", target, "alice")]

    browser.post(reverse("account_logout"))
    assert new_entries() == [("user.signed_out", target, "alice")]

    browser.post(reverse("account_logout"))
    assert new_entries() == []


@pytest.mark.parametrize("login", ["alice", "alice@example.org", "nobody", "x" * 150])
def test_a_failed_sign_in_names_who_was_tried(browser, alice, new_entries, login):
    sign_in(browser, login, "wrong-secret-word")

    assert new_entries() == [("user.sign_in_failed", login, "anonymous")]
    assert "wrong-secret-word" not in str(AuditEntry.objects.values())


def test_who_may_not_sign_in_any_more_has_failed_to(browser, alice, new_entries):
    User.objects.update(is_active=False)
    sign_in(browser, "alice", PASSWORD)

    assert new_entries() == [("user.sign_in_failed", "alice", "anonymous")]


def test_changing_ones_password(browser, alice, new_entries):
    sign_in(browser, "alice", PASSWORD)
    new_entries()
    form = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    browser.post(reverse("account_change_password"), form)

    assert new_entries() == [("password.changed", f"user:{alice.pk} alice", "alice")]


def test_resetting_a_forgotten_password(browser, alice, new_entries):
    browser.post(reverse("account_reset_password"), {"email": "alice@example.org"})
    path = re.search(r"/accounts/password/reset/key/\S+", mail.outbox[0].body)[0]
    form = browser.get(path).headers["location"]
    browser.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})

    assert new_entries() == [("password.reset", f"user:{alice.pk} alice", "anonymous")]
    assert User.objects.get().check_password(NEW_PASSWORD)


def test_ones_own_key_from_its_making_to_its_end(browser, alice, new_entries):
    sign_in(browser, "alice", PASSWORD)
    new_entries()
    browser.post(reverse("my-keys"), {"name": "laptop", "expires": "never"})
    key = alice.api_keys.get()
    target = f"key:{key.pk} {key}"
    assert new_entries() == [("key.created", target, "alice")]

    browser.post(reverse("my-key-revoke", args=[key.pk]))
    assert new_entries() == [("key.revoked", target, "alice")]


def test_a_person_and_their_password_in_the_administration(browser, alice, new_entries):
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    sign_in(browser, "alice", PASSWORD)
    new_entries()
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    browser.post(reverse("admin:accounts_user_add"), {"username": "bob", **form})
    bob = User.objects.get(username="bob")
    assert new_entries() == [("user.created", f"user:{bob.pk} bob", "alice")]

    form = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    browser.post(reverse("admin:auth_user_password_change", args=[bob.pk]), form)
    assert new_entries() == [("password.changed", f"user:{bob.pk} bob", "alice")]

    browser.post(reverse("admin:accounts_user_delete", args=[bob.pk]), {"post": "yes"})
    assert new_entries() == [("user.deleted", f"user:{bob.pk} bob", "alice")]
    assert audit.verify() is None


def test_an_export_of_ones_own_usage(browser, alice, new_entries):
    sign_in(browser, "alice", PASSWORD)
    new_entries()
    browser.get("/accounts/usage.csv", {"days": "7"})
    assert new_entries() == [("usage.exported", "", "alice")]


def test_a_kept_prompt_that_is_deleted_by_hand(browser, alice, new_entries):
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    kept = PromptRecord.objects.create(
        uid=uuid.uuid4(), at=timezone.now(), owner="bob", model="m", prompt={"text": "a secret"}
    )
    sign_in(browser, "alice", PASSWORD)
    new_entries()
    browser.post(f"/admin/accounts/promptrecord/{kept.pk}/delete/", {"post": "yes"})
    ((action, target, actor),) = new_entries()
    assert (action, actor) == ("prompt.deleted", "alice")
    assert "bob" in target
    assert "secret" not in target
    assert not PromptRecord.objects.exists()
