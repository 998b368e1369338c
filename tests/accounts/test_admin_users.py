"""People and groups in the administration, and who may change whom."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialApp, SocialToken
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group

from accounts.models import ApiKey, AuditEntry, User
from tests.accounts.administration import browser, root, staff, text_of

LIST = "/admin/accounts/user/"
GROUPS = "/admin/auth/group/"
FACTORS = "/admin/mfa/authenticator/"
RIGHTS = ("view_user", "add_user", "change_user", "delete_user")


@pytest.fixture
def admin(db):
    return browser(root())


def page_of(user, what="change"):
    return f"{LIST}{user.pk}/{what}/"


def form(user, **fields):
    usual = {"username": user.username, "email": user.email, "is_active": "on"}
    no_policy = {"policy-TOTAL_FORMS": 0, "policy-INITIAL_FORMS": 0}
    no_keys = {"api_keys-TOTAL_FORMS": 0, "api_keys-INITIAL_FORMS": 0}
    return {**usual, **no_policy, **no_keys, **fields}


def save(visitor, user, **fields):
    answer = visitor.post(page_of(user), form(user, **fields))
    user.refresh_from_db()
    return answer


# People


def test_a_person_is_added_and_then_given_a_policy(admin):
    password = "correct horse battery"
    new = {"username": "erin", "password1": password, "password2": password}
    answer = admin.post(f"{LIST}add/", {**new, "usable_password": "true"}, follow=True)
    erin = User.objects.get(username="erin")

    assert erin.check_password(password)
    assert "policy-0-tokens_per_day" in text_of(answer)


def test_a_persons_keys_are_listed_without_what_opens_anything(admin, alice):
    key, text = ApiKey.objects.issue(alice, "laptop")
    html = text_of(admin.get(page_of(alice)))

    assert key.shown in html
    assert f"/admin/accounts/apikey/{key.pk}/change/" in html
    assert text not in html
    assert key.digest not in html


def test_a_persons_page_leads_to_a_new_key_and_to_their_requests(admin, alice):
    new_key = admin.get(page_of(alice, "new_key"))
    requests = admin.get(page_of(alice, "requests"), follow=True)

    assert new_key["location"] == f"/admin/accounts/apikey/add/?user={alice.pk}"
    assert requests.status_code == 200


def test_a_change_is_in_the_audit_log(admin, alice):
    save(admin, alice, email="alice@example.com")
    entry = AuditEntry.objects.filter(action="user.changed").first()

    assert (entry.before["email"], entry.after["email"]) == (
        "alice@example.org",
        "alice@example.com",
    )


# Who may


@pytest.mark.parametrize("page", ["", "add/", "{}/change/", "{}/delete/", "{}/password/"])
def test_staff_without_rights_sees_nobody(alice, page):
    page = LIST + page.format(alice.pk)

    assert browser(staff("sam")).get(page).status_code == 403


def test_people_who_are_not_staff_are_sent_away(alice):
    assert browser(alice).get(LIST).status_code == 302


def test_staff_changes_people(alice):
    sam = browser(staff("sam", *RIGHTS))
    save(sam, alice, email="alice@example.com")

    assert alice.email == "alice@example.com"


def test_staff_gives_nobody_rights(alice):
    group = Group.objects.create(name="admins")
    sam = staff("sam", *RIGHTS)
    given = {"is_superuser": "on", "is_staff": "on", "groups": [group.pk], "user_permissions": [1]}
    save(browser(sam), alice, **given)
    save(browser(sam), sam, **given)

    for person in (alice, sam):
        assert not person.is_superuser
        assert not person.groups.exists()
    assert not alice.is_staff
    assert sam.user_permissions.count() == len(RIGHTS)


def test_superusers_give_rights(admin, alice):
    group = Group.objects.create(name="research")
    save(admin, alice, is_staff="on", groups=[group.pk])

    assert alice.is_staff
    assert alice.groups.get() == group


@pytest.mark.parametrize("other", [root, lambda: staff("tim")])
def test_staff_does_not_take_over_another_administrator(db, other):
    other, sam = other(), browser(staff("sam", *RIGHTS))

    assert save(sam, other, email="sam@example.org").status_code == 403
    assert sam.get(page_of(other, "password")).status_code == 403
    assert sam.post(page_of(other, "delete"), {"post": "yes"}).status_code == 403
    sam.post(LIST, {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"})
    other.refresh_from_db()
    assert other.email == ""


def test_staff_changes_the_own_account(db):
    sam = staff("sam", *RIGHTS)
    save(browser(sam), sam, email="sam@example.org")

    assert sam.email == "sam@example.org"


def test_staff_does_not_delete_a_person_with_keys(alice):
    ApiKey.objects.issue(alice, "laptop")
    sam = browser(staff("sam", *RIGHTS, "delete_apikey"))
    sam.post(page_of(alice, "delete"), {"post": "yes"})

    assert User.objects.filter(pk=alice.pk).exists()


def test_a_superuser_deletes_a_person_with_all_that_is_theirs(admin, alice):
    ApiKey.objects.issue(alice, "laptop")
    admin.post(page_of(alice, "delete"), {"post": "yes"})

    assert not User.objects.filter(pk=alice.pk).exists()
    assert not ApiKey.objects.exists()


# Groups


def test_a_group_leads_to_its_people(admin, alice, bob):
    group = Group.objects.create(name="research")
    alice.groups.add(group)
    link = f"{LIST}?groups__id__exact={group.pk}"

    assert link.replace("&", "&amp;") in text_of(admin.get(GROUPS))
    assert "alice" in text_of(admin.get(link))
    assert "bob" not in text_of(admin.get(link))


def test_staff_gives_groups_no_permissions(db):
    group = Group.objects.create(name="research")
    sam = browser(staff("sam", "view_group", "change_group"))
    sam.post(f"{GROUPS}{group.pk}/change/", {"name": "team", "permissions": [1]})
    group.refresh_from_db()

    assert group.name == "team"
    assert not group.permissions.exists()


def test_staff_without_rights_sees_no_groups(db):
    assert browser(staff("sam")).get(GROUPS).status_code == 403


# What allauth keeps


@pytest.fixture
def factor(alice):
    return Authenticator.objects.create(user=alice, type="totp", data={"secret": "JBSWY3DP"})


def test_a_second_factor_is_shown_without_its_secret(admin, factor):
    for page in (FACTORS, f"{FACTORS}{factor.pk}/change/"):
        html = text_of(admin.get(page))
        assert "alice" in html
        assert "JBSWY3DP" not in html


def test_a_lost_second_factor_is_taken_away_and_the_audit_log_says_so(admin, factor):
    admin.post(f"{FACTORS}{factor.pk}/delete/", {"post": "yes"})
    entry = AuditEntry.objects.filter(action="user.changed").first()

    assert not Authenticator.objects.exists()
    assert (entry.before, entry.actor_name) == ({"second_factor": "totp"}, "root")


def test_staff_does_not_take_a_second_factor_from_an_administrator(db):
    factor = Authenticator.objects.create(user=root(), type="totp", data={})
    sam = browser(staff("sam", "view_authenticator", "delete_authenticator"))
    sam.post(f"{FACTORS}{factor.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [factor.pk], "post": "yes"}
    sam.post(FACTORS, chosen)

    assert Authenticator.objects.exists()


@pytest.mark.parametrize("model", [EmailAddress, SocialApp, SocialToken])
def test_what_could_take_over_an_account_has_no_page(model):
    assert not django_admin.site.is_registered(model)
