"""API keys in the administration: made, rotated and revoked by those who may."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.keys import SHAPE
from accounts.models import ApiKey, AuditEntry
from tests.accounts.administration import asked, browser, root, staff, text_of

LIST = "/admin/accounts/apikey/"
ADD = f"{LIST}add/"
ALL_RIGHTS = ("view_apikey", "add_apikey", "change_apikey", "delete_apikey")


@pytest.fixture
def key(alice):
    return ApiKey.objects.issue(alice, "laptop")[0]


@pytest.fixture
def admin(db):
    return browser(root())


def new_key(user, **fields):
    return {"user": user.pk, "name": "notebook", "expires_at_0": "", "expires_at_1": "", **fields}


def page_of(key, what="change"):
    return f"{LIST}{key.pk}/{what}/"


def secret_in(response) -> str:
    html = text_of(response)
    start = html.index('class="secret">') + len('class="secret">')
    text = html[start : html.index("<", start)]
    assert SHAPE.match(text), text
    return text


# A secret is shown once


def test_a_new_keys_secret_is_in_the_answer_to_the_form(admin, alice):
    answer = admin.post(ADD, new_key(alice))
    key = ApiKey.objects.of_text(secret_in(answer))

    assert (key.user, key.name, key.state) == (alice, "notebook", "active")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]


def test_the_secret_is_nowhere_else(admin, alice):
    text = secret_in(admin.post(ADD, new_key(alice)))
    secret = text.rsplit("-", 1)[1]
    key = ApiKey.objects.get()

    assert secret not in text_of(admin.get(LIST))
    assert secret not in text_of(admin.get(page_of(key)))
    assert secret not in str([cookie.output() for cookie in admin.cookies.values()])
    assert secret not in str([session.get_decoded() for session in Session.objects.all()])
    assert secret not in str([*LogEntry.objects.values()])
    assert secret not in str([*AuditEntry.objects.values()])


def test_the_digest_is_not_shown(admin, key):
    for page in (LIST, page_of(key), page_of(key, "history")):
        assert key.digest not in text_of(admin.get(page))


def test_making_a_key_is_in_the_audit_log(admin, alice):
    admin.post(ADD, new_key(alice))

    assert AuditEntry.objects.get(action="key.created").actor_name == "root"


def test_a_key_does_not_expire_in_the_past(admin, alice):
    answer = admin.post(ADD, new_key(alice, expires_at_0="2020-01-31", expires_at_1="12:00"))

    assert "2020-01-31 12:00 UTC is past." in text_of(answer)
    assert not ApiKey.objects.exists()


def test_a_key_expires_when_the_form_says(admin, alice):
    admin.post(ADD, new_key(alice, expires_at_0="2999-12-31", expires_at_1="12:00"))

    assert ApiKey.objects.get().expires_at.year == 2999


# Rotating


def test_asking_for_rotation_changes_nothing(admin, key):
    assert "Both work for" in text_of(admin.get(page_of(key, "rotate")))
    assert ApiKey.objects.count() == 1


def test_a_rotated_key_works_beside_its_successor_for_as_long_as_was_chosen(admin, key):
    answer = admin.post(page_of(key, "rotate"), {"hours": "24"})
    new = ApiKey.objects.of_text(secret_in(answer))
    key.refresh_from_db()

    assert "no-store" in answer["Cache-Control"]
    assert key.replaced_by == new
    assert key.state == new.state == "active"
    assert key.expires_at <= timezone.now() + timedelta(hours=24)


def test_an_overlap_that_is_not_offered_is_refused(admin, key):
    answer = admin.post(page_of(key, "rotate"), {"hours": "999999"})

    assert "999999 is not one of the available choices" in text_of(answer)
    assert ApiKey.objects.count() == 1


def test_a_key_is_not_rotated_twice(admin, key):
    admin.post(page_of(key, "rotate"), {"hours": "24"})
    answer = admin.post(page_of(key, "rotate"), {"hours": "24"}, follow=True)

    assert "was rotated before" in text_of(answer)
    assert ApiKey.objects.count() == 2


def test_a_revoked_key_is_not_rotated(admin, key):
    key.revoke()
    answer = admin.post(page_of(key, "rotate"), {"hours": "24"}, follow=True)

    assert "is revoked" in text_of(answer)
    assert ApiKey.objects.count() == 1


# Revoking


def test_asking_for_revocation_changes_nothing(admin, key):
    assert "refused from now on" in text_of(admin.get(page_of(key, "revoke")))
    key.refresh_from_db()
    assert key.state == "active"


def test_a_key_is_revoked(admin, key):
    answer = admin.post(page_of(key, "revoke"), follow=True)
    key.refresh_from_db()

    assert f"{key} is revoked." in text_of(answer)
    assert key.state == "revoked"
    assert AuditEntry.objects.get(action="key.revoked").actor_name == "root"


def test_selected_keys_are_revoked_and_the_others_are_not(admin, alice, key):
    other, _ = ApiKey.objects.issue(alice, "phone")
    kept, _ = ApiKey.objects.issue(alice, "tablet")
    chosen = {"action": "revoke_selected", "_selected_action": [key.pk, other.pk]}
    admin.post(LIST, chosen)

    assert [*ApiKey.objects.active()] == [kept]


def test_a_key_that_does_not_exist_is_not_found(admin, db):
    assert admin.get(f"{LIST}999/rotate/").status_code == 404
    assert admin.post(f"{LIST}999/revoke/").status_code == 404


# The list


def test_the_list_says_what_a_key_did_in_30_days(admin, alice, key):
    asked(alice, key=key, prompt_tokens=12_000)
    asked(alice, key=key, days_ago=31)
    html = text_of(admin.get(LIST))

    assert "12k" in html
    assert ">1<" in html.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("state", ["active", "expired", "revoked"])
def test_the_list_is_narrowed_to_a_state(admin, alice, state):
    ApiKey.objects.issue(alice, "active-key")
    ApiKey.objects.issue(alice, "expired-key", timezone.now() - timedelta(days=1))
    ApiKey.objects.issue(alice, "revoked-key")[0].revoke()
    html = text_of(admin.get(LIST, {"state": state}))

    assert [name for name in ("active", "expired", "revoked") if f"{name}-key" in html] == [state]


@pytest.mark.parametrize("what", ["shown", "prefix", "name", "user"])
def test_a_key_is_found_by_what_people_know_of_it(admin, bob, key, what):
    ApiKey.objects.issue(bob, "other")
    html = text_of(admin.get(LIST, {"q": str(getattr(key, what))}))

    assert key.shown in html
    assert "other" not in html


def test_a_key_is_found_by_its_whole_text(admin, bob, key):
    _, text = ApiKey.objects.issue(bob, "leaked")

    assert "leaked" in text_of(admin.get(LIST, {"q": text}))
    assert key.shown not in text_of(admin.get(LIST, {"q": text}))


# Who may


@pytest.mark.parametrize("page", ["", "add/", "{}/change/", "{}/rotate/", "{}/revoke/"])
def test_staff_without_rights_sees_nothing(key, page):
    visitor = browser(staff("sam"))
    page = LIST + page.format(key.pk)

    assert visitor.get(page).status_code == 403
    assert visitor.post(page, {"hours": "24"}).status_code == 403
    assert ApiKey.objects.active().count() == 1


def test_who_may_look_looks_and_changes_nothing(key):
    visitor = browser(staff("sam", "view_apikey"))

    assert key.shown in text_of(visitor.get(LIST))
    assert visitor.get(page_of(key)).status_code == 200
    assert visitor.post(page_of(key, "rotate"), {"hours": "24"}).status_code == 403
    assert visitor.post(page_of(key, "revoke")).status_code == 403
    chosen = {"action": "revoke_selected", "_selected_action": [key.pk]}
    visitor.post(LIST, chosen)
    assert [*ApiKey.objects.active()] == [key]


def test_only_superusers_delete_keys(admin, key):
    sam = browser(staff("sam", *ALL_RIGHTS))

    assert sam.post(page_of(key, "delete"), {"post": "yes"}).status_code == 403
    assert admin.post(page_of(key, "delete"), {"post": "yes"}).status_code == 302
    assert not ApiKey.objects.exists()


def test_staff_cannot_hold_a_key_of_an_administrator(db):
    boss, sam = root(), browser(staff("sam", *ALL_RIGHTS))
    key, _ = ApiKey.objects.issue(boss, "boss")
    answer = sam.post(ADD, new_key(boss))

    assert "Select a valid choice" in text_of(answer)
    assert sam.post(page_of(key, "rotate"), {"hours": "24"}).status_code == 403
    chosen = {"action": "revoke_selected", "_selected_action": [key.pk]}
    assert "is not yours to revoke" in text_of(sam.post(LIST, chosen, follow=True))
    assert [*ApiKey.objects.active()] == [key]


def test_staff_makes_keys_for_people_and_for_themselves(alice):
    sam = staff("sam", *ALL_RIGHTS)
    visitor = browser(sam)

    assert ApiKey.objects.of_text(secret_in(visitor.post(ADD, new_key(alice)))).user == alice
    assert ApiKey.objects.of_text(secret_in(visitor.post(ADD, new_key(sam)))).user == sam
