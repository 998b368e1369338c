"""What cannot be recorded is not done: a change and its entry are committed, or neither."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.audit import AuditError
from accounts.models import ApiKey, AuditEntry, AuditHead, Policy, PromptRecord, User
from tests.accounts.administration import root
from tests.accounts.site import PASSWORD, configured

pytestmark = pytest.mark.django_db(transaction=True)

KEYS, ADMIN = "/accounts/keys/", "/admin/accounts/"
NEW = "quite-another-password"


@pytest.fixture(autouse=True)
def site(settings):
    configured(settings)


@pytest.fixture
def key(alice):
    return ApiKey.objects.issue(alice, "laptop")[0]


@pytest.fixture
def prompt(alice):
    facts = {"uid": "0" * 32, "at": timezone.now(), "owner": "alice", "model": "m"}
    return PromptRecord.objects.create(user=alice, prompt="a", **facts)


def state():
    """All that there is of accounts."""
    tables = [User, Group, ApiKey, Policy, PromptRecord, AuditEntry, User.groups.through]
    return [row for table in tables for row in table._base_manager.order_by("pk").values()]


def browser_of(user):
    browser = Client(raise_request_exception=False)
    browser.force_login(user)
    return browser


OWN_PAGES = {
    "make": (KEYS, {"name": "phone", "expires": "never"}),
    "rename": (f"{KEYS}{{key}}/rename/", {"name": "phone"}),
    "rotate": (f"{KEYS}{{key}}/rotate/", {"old_ends": "24"}),
    "revoke": (f"{KEYS}{{key}}/revoke/", {}),
    "password": (
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW},
    ),
}
ADMIN_PAGES = {
    "key": (f"{ADMIN}apikey/add/", {"user": "{user}", "name": "phone"}),
    "rotation": (f"{ADMIN}apikey/{{key}}/rotate/", {"hours": "1"}),
    "revocation": (f"{ADMIN}apikey/{{key}}/revoke/", {}),
    "revocations": (
        f"{ADMIN}apikey/",
        {"action": "revoke_selected", "_selected_action": "{key}"},
    ),
    "deletions": (
        f"{ADMIN}apikey/",
        {"action": "delete_selected", "_selected_action": "{key}", "post": "yes"},
    ),
    "prompts": (
        f"{ADMIN}promptrecord/",
        {"action": "delete_selected", "_selected_action": "{prompt}", "post": "yes"},
    ),
    "password": (f"{ADMIN}user/{{user}}/password/", {"password1": NEW, "password2": NEW}),
    "group": ("/admin/auth/group/add/", {"name": "team"}),
}
COUNTS = {"policy-TOTAL_FORMS": 0, "policy-INITIAL_FORMS": 0}


def posted(browser, page, **ids):
    path, fields = page
    filled = {name: value.format(**ids) for name, value in fields.items()}
    return browser.post(path.format(**ids), {**COUNTS, **filled})


@pytest.mark.parametrize("page", OWN_PAGES.values(), ids=[*OWN_PAGES])
def test_a_page_changes_nothing_that_it_cannot_record(alice, key, page):
    browser = browser_of(alice)
    AuditHead.objects.all().delete()
    before = state()
    assert posted(browser, page, key=key.pk).status_code == 500
    assert state() == before


@pytest.mark.parametrize("page", OWN_PAGES.values(), ids=[*OWN_PAGES])
def test_the_same_page_changes_it_with_an_entry_otherwise(alice, key, page):
    browser, before, num_entries = browser_of(alice), state(), AuditEntry.objects.count()
    assert posted(browser, page, key=key.pk).status_code in (200, 302)
    assert state() != before
    assert AuditEntry.objects.count() > num_entries


@pytest.mark.parametrize("page", ADMIN_PAGES.values(), ids=[*ADMIN_PAGES])
def test_so_do_pages_of_the_administration(alice, key, prompt, page):
    browser = browser_of(root())
    AuditHead.objects.all().delete()
    before = state()
    ids = {"key": key.pk, "user": alice.pk, "prompt": prompt.pk}
    assert posted(browser, page, **ids).status_code == 500
    assert state() == before


@pytest.mark.parametrize("page", ADMIN_PAGES.values(), ids=[*ADMIN_PAGES])
def test_which_change_it_with_an_entry_otherwise(alice, key, prompt, page):
    browser, before, num_entries = browser_of(root()), state(), AuditEntry.objects.count()
    ids = {"key": key.pk, "user": alice.pk, "prompt": prompt.pk}
    assert posted(browser, page, **ids).status_code in (200, 302)
    assert state() != before
    assert AuditEntry.objects.count() > num_entries


CHANGES = {
    "create_key": lambda key: call_command("create_key", "alice", "phone"),
    "revoke_key": lambda key: call_command("revoke_key", key.prefix),
    "rotate": lambda key: key.rotate(timedelta(days=1)),
    "a person": lambda key: User.objects.create_user("dora"),
    "a policy": lambda key: Policy.objects.create(key=key, max_running=1),
    "a membership": lambda key: key.user.groups.add(Group.objects.get()),
    "a row": lambda key: key.delete(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=[*CHANGES])
def test_and_whatever_else_changes_accounts(key, change):
    Group.objects.create(name="team")
    AuditHead.objects.all().delete()
    before = state()
    with pytest.raises(AuditError):
        change(key)
    assert state() == before
