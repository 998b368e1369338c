"""Each action leaves exactly one entry that says who did it, from where and in which request."""

import json
from datetime import timedelta
from fnmatch import fnmatchcase

import pytest
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as social
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.core import serializers
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from accounts import audit
from accounts.audit.context import CurrentRequestMiddleware
from accounts.models import ApiKey, AuditEntry, Policy, User

ALICE = "user:{alice.pk} alice"
BOB = "user:{bob.pk} bob"
KEY = "key:{key.pk} {key}"
POLICY = "policy:{policy.pk} of user bob"


@pytest.fixture
def world(alice, bob):
    """Alice administers; Bob has a key, a policy and a group."""
    key, _ = ApiKey.objects.issue(bob, "laptop")
    policy = Policy.objects.create(user=bob, tokens_per_day=10)
    group = Group.objects.create(name="staff")
    return {"alice": alice, "bob": bob, "key": key, "policy": policy, "group": group}


@pytest.fixture
def entries_of(alice):
    """What an action records while Alice's request runs it."""

    def entries_of(action):
        request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7")
        request.user, request.request_id = alice, "req_1"
        last = AuditEntry.objects.count()

        def view(_):
            action()
            return HttpResponse()

        CurrentRequestMiddleware(view)(request)
        return list(AuditEntry.objects.filter(number__gt=last).order_by("number"))

    return entries_of


def change(row, **values):
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


def set_password(user, password):
    user.set_password(password)
    user.save()


def authenticator(user):
    return Authenticator(user=user, type="totp", data={"secret": "very-secret"})


def send(signal, user, **arguments):
    signal.send(User, request=None, user=user, **arguments)


def sign_on(user):
    return SocialLogin(user=user, account=SocialAccount(user=user, provider="okta", uid="1"))


ACTIONS = {
    "user.created": (
        lambda w: User.objects.create_user("dora", password="x"),
        "user:* dora",
        None,
        {"username": "dora", "is_active": True},
    ),
    "user.changed": (
        lambda w: change(w["bob"], is_superuser=True),
        BOB,
        {"is_superuser": False},
        {"is_superuser": True},
    ),
    "user.changed: groups": (
        lambda w: w["bob"].groups.add(w["group"]),
        BOB,
        {"groups": []},
        {"groups": ["staff"]},
    ),
    "user.changed: members": (
        lambda w: w["group"].user_set.add(w["bob"]),
        BOB,
        {"groups": []},
        {"groups": ["staff"]},
    ),
    "user.changed: permissions": (
        lambda w: w["bob"].user_permissions.add(Permission.objects.get(codename="add_apikey")),
        BOB,
        {"user_permissions": []},
        {"user_permissions": ["add_apikey"]},
    ),
    "user.changed: second factor": (
        lambda w: send(mfa.authenticator_added, w["bob"], authenticator=authenticator(w["bob"])),
        BOB,
        None,
        {"second_factor": "totp"},
    ),
    "user.changed: new codes": (
        lambda w: send(mfa.authenticator_reset, w["bob"], authenticator=authenticator(w["bob"])),
        BOB,
        None,
        {"second_factor": "totp"},
    ),
    "user.changed: no second factor": (
        lambda w: send(mfa.authenticator_removed, w["bob"], authenticator=authenticator(w["bob"])),
        BOB,
        {"second_factor": "totp"},
        None,
    ),
    "user.changed: single sign-on": (
        lambda w: social.social_account_added.send(SocialLogin, sociallogin=sign_on(w["bob"])),
        BOB,
        None,
        {"single_sign_on": "okta"},
    ),
    "user.changed: no single sign-on": (
        lambda w: social.social_account_removed.send(
            SocialAccount, socialaccount=sign_on(w["bob"]).account
        ),
        BOB,
        {"single_sign_on": "okta"},
        None,
    ),
    "user.sign_in_failed": (
        lambda w: send(mfa.authentication_failed, w["bob"], authenticator=authenticator(w["bob"])),
        BOB,
        None,
        {"second_factor": "totp"},
    ),
    "password.changed": (lambda w: set_password(w["bob"], "another"), BOB, None, None),
    "password.changed: none": (lambda w: set_password(w["bob"], None), BOB, None, None),
    "password.changed: by its hash": (
        lambda w: change(w["bob"], password=make_password("another")),
        BOB,
        None,
        None,
    ),
    "group.created": (
        lambda w: Group.objects.create(name="new"),
        "group:* new",
        None,
        {"name": "new"},
    ),
    "group.changed": (
        lambda w: change(w["group"], name="people"),
        "group:{group.pk} people",
        {"name": "staff"},
        {"name": "people"},
    ),
    "group.changed: permissions": (
        lambda w: w["group"].permissions.set([Permission.objects.get(codename="add_apikey")]),
        "group:{group.pk} staff",
        {"permissions": []},
        {"permissions": ["add_apikey"]},
    ),
    "group.deleted": (
        lambda w: Group.objects.all().delete(),
        "group:{group.pk} staff",
        {"name": "staff"},
        None,
    ),
    "policy.created": (
        lambda w: Policy.objects.create(user=w["alice"], max_running=1),
        "policy:* of user alice",
        None,
        {"max_running": 1},
    ),
    "policy.changed": (
        lambda w: change(w["policy"], tokens_per_day=20, allowed_models=["a*"]),
        POLICY,
        {"tokens_per_day": 10, "allowed_models": None},
        {"tokens_per_day": 20, "allowed_models": ["a*"]},
    ),
    "policy.deleted": (lambda w: w["policy"].delete(), POLICY, {"tokens_per_day": 10}, None),
    "key.created": (
        lambda w: ApiKey.objects.issue(w["bob"], "phone"),
        "key:* phone (sk-*)",
        None,
        {"name": "phone"},
    ),
    "key.changed": (
        lambda w: change(w["key"], name="desk"),
        "key:{key.pk} desk (sk-*)",
        {"name": "laptop"},
        {"name": "desk"},
    ),
    "key.revoked": (lambda w: w["key"].revoke(), KEY, {"revoked_at": None}, {}),
    "key.deleted": (lambda w: w["key"].delete(), KEY, {"name": "laptop"}, None),
}


def has(values, expected):
    return values == expected or (expected is not None and expected.items() <= values.items())


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_leaves_one_entry(name, world, entries_of):
    act, target, before, after = ACTIONS[name]
    target = target.format_map(world)  # now: what is deleted loses its number
    (entry,) = entries_of(lambda: act(world))

    assert entry.action == name.partition(":")[0]
    assert fnmatchcase(entry.target, target)
    assert has(entry.before, before)
    assert has(entry.after, after)
    assert (entry.actor, entry.actor_name) == (world["alice"], "alice")
    assert (entry.address, entry.request_id) == ("192.0.2.7", "req_1")
    assert audit.verify() is None


def test_every_action_of_a_life_leaves_no_secret(world, entries_of):
    for act, *_ in ACTIONS.values():
        entries_of(lambda act=act: act(world))
    secrets = [world["key"].digest, "a-long-password", "another", "very-secret", "pbkdf2", "md5$"]
    secrets += User.objects.values_list("password", flat=True)
    written = json.dumps(list(AuditEntry.objects.values()), default=str)

    assert AuditEntry.objects.count() > len(ACTIONS)
    assert not [secret for secret in secrets if secret in written]


# Keys


def test_a_rotation_names_the_new_key_which_has_its_own_entry(world, entries_of):
    new, text = world["key"].rotate(timedelta(hours=1))
    rotated, created = AuditEntry.objects.filter(action__startswith="key.").order_by("-number")[:2]

    assert (rotated.action, created.action) == ("key.rotated", "key.created")
    assert rotated.after["replaced_by_id"] == new.pk
    assert set(rotated.after) == {"replaced_by_id", "expires_at"}
    assert created.target == f"key:{new.pk} {new}"
    assert text not in json.dumps([rotated.after, created.after])


def test_a_key_that_is_revoked_already_leaves_no_entry(world, entries_of):
    world["key"].revoke()
    again = ApiKey.objects.get()

    assert entries_of(lambda: again.revoke()) == []
    assert again.revoked_at == world["key"].revoked_at


def test_a_use_of_a_key_is_no_action(world, entries_of):
    now = timezone.now()

    assert entries_of(lambda: world["key"].note_use(now)) == []
    assert entries_of(lambda: change(world["key"], last_used_at=now)) == []


# Deleting


def test_what_goes_with_a_person_is_named(world, entries_of):
    bob = BOB.format_map(world)
    entries = entries_of(lambda: world["bob"].delete())

    assert {(e.action, e.target) for e in entries} == {
        ("user.deleted", bob),
        ("policy.deleted", f"policy:{world['policy'].pk} of user bob"),
        ("key.deleted", f"key:{world['key'].pk} {world['key']}"),
    }


def test_people_who_delete_themselves_can_be_named(world, entries_of, alice):
    ApiKey.objects.issue(alice, "phone")
    entries = entries_of(User.objects.get(pk=alice.pk).delete)

    assert {e.action for e in entries} == {"user.deleted", "key.deleted"}
    assert {(e.actor, e.actor_name) for e in entries} == {(None, "alice")}
    assert audit.verify() is None


# What is not an action


def test_saving_without_a_change_leaves_no_entry(world, entries_of):
    assert entries_of(lambda: change(world["policy"])) == []
    assert entries_of(lambda: change(world["bob"], last_login=timezone.now())) == []
    assert entries_of(lambda: world["bob"].save(update_fields=["last_login"])) == []


def test_the_local_user_is_one_entry(db):
    User.objects.local()
    User.objects.local()

    assert [e.action for e in AuditEntry.objects.all()] == ["user.created"]


def test_a_newer_hash_of_the_same_password_is_no_change(world, entries_of):
    User.objects.filter(pk=world["bob"].pk).update(
        password=make_password("old", hasher="pbkdf2_sha1")
    )
    bob = User.objects.get(pk=world["bob"].pk)

    assert entries_of(lambda: bob.check_password("old")) == []
    assert not bob.password.startswith("pbkdf2_sha1")


def test_what_a_failed_save_left_behind_is_not_taken_for_a_change(world, entries_of):
    twin = User(username="bob", pk=world["alice"].pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save()
    twin.last_login = timezone.now()

    assert entries_of(lambda: twin.save(update_fields=["last_login"])) == []


def test_rows_that_are_loaded_from_a_dump_are_not_recorded(world, entries_of, tmp_path):
    dump = tmp_path / "dump.json"
    dump.write_text(serializers.serialize("json", User.objects.all()))
    User.objects.update(first_name="other")

    assert entries_of(lambda: call_command("loaddata", dump, verbosity=0)) == []
    assert not User.objects.filter(first_name="other").exists()


# Memberships


def test_a_group_that_is_emptied_is_a_change_of_each_member(world, entries_of):
    world["group"].user_set.set([world["alice"], world["bob"]])
    entries = entries_of(world["group"].user_set.clear)

    assert [e.target for e in entries] == [ALICE.format_map(world), BOB.format_map(world)]
    assert [(e.before, e.after) for e in entries] == [({"groups": ["staff"]}, {"groups": []})] * 2


def test_leaving_all_groups_is_one_change(world, entries_of):
    world["bob"].groups.set([world["group"], Group.objects.create(name="admins")])
    (entry,) = entries_of(world["bob"].groups.clear)

    assert (entry.before, entry.after) == ({"groups": ["admins", "staff"]}, {"groups": []})


def test_joining_a_group_again_is_no_change(world, entries_of):
    world["bob"].groups.add(world["group"])

    assert entries_of(lambda: world["bob"].groups.add(world["group"])) == []
