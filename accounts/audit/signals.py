"""What happens to accounts goes into the audit log, whoever does it and wherever."""

from typing import Any

from allauth.mfa import signals as mfa
from allauth.socialaccount import signals as social
from django.contrib.auth.hashers import get_hasher, identify_hasher, is_password_usable
from django.contrib.auth.models import Group
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.dispatch import receiver

from accounts import audit
from accounts.models import ApiKey, Policy, User

from .context import current_request
from .watch import LinkWatch, Row, Watch


class UserWatch(Watch):
    """A password's change is an entry of its own, which says that and no more.

    Seen in the column, not by the signals of the pages that change it: commands and
    the administration change it too.
    """

    def facts(self, row: Row) -> Row:
        return {name: value for name, value in super().facts(row).items() if name != "password"}

    def on_change(self, instance: Model, before: Row, after: Row) -> None:
        super().on_change(instance, before, after)
        if _has_new_password(instance, before["password"], after["password"]):
            action = "password.reset" if _is_reset() else "password.changed"
            audit.record(action, self.target(instance))


class KeyWatch(Watch):
    def verb(self, new: Row) -> str:
        if new.get("revoked_at"):
            return "revoked"
        return "rotated" if new.get("replaced_by_id") else "changed"


class PolicyWatch(Watch):
    def target(self, instance: Model) -> str:
        assert isinstance(instance, Policy)
        return f"policy:{instance.pk} of {instance.label}"


def _has_new_password(user: Model, before: str, after: str) -> bool:
    if before == after or not (_opens(before) or _opens(after)):
        return False
    # At a sign-in Django writes the same password in a newer hash. It then forgets the
    # plain one before it saves, which those who set a password do after.
    is_rehash = _is_outdated(before) and _opens(after) and getattr(user, "_password", None) is None
    return not is_rehash


def _is_outdated(password: str) -> bool:
    """Whether Django writes it anew at the next sign-in."""
    preferred = get_hasher()
    try:
        is_foreign = identify_hasher(password).algorithm != preferred.algorithm
    except ValueError:  # unusable, or of a kind that opens nothing
        return False
    return is_foreign or preferred.must_update(password)


def _opens(password: str) -> bool:
    """Whether anybody can sign in with it."""
    return bool(password) and is_password_usable(password)


def _is_reset() -> bool:
    """Whether this is allauth's page behind the link in the mail."""
    match = getattr(current_request(), "resolver_match", None)
    return match is not None and "reset" in (match.url_name or "")


UserWatch(User, "user", unseen=["last_login"])
Watch(Group, "group")
KeyWatch(ApiKey, "key", unseen=["last_used_at", "created_at", "lineage"])
PolicyWatch(Policy, "policy")
LinkWatch(User, "groups", "name", "user")
LinkWatch(User, "user_permissions", "codename", "user")
LinkWatch(Group, "permissions", "codename", "group")


@receiver(user_logged_in)
def on_sign_in(user: User, **_: Any) -> None:
    audit.record("user.signed_in", _person(user), actor=user)


@receiver(user_logged_out)
def on_sign_out(user: User | None, **_: Any) -> None:
    if user is not None:  # a browser that was not signed in may ask for it too
        audit.record("user.signed_out", _person(user), actor=user)


@receiver(user_login_failed)
def on_failed_sign_in(credentials: dict[str, Any], **_: Any) -> None:
    tried = credentials.get("username") or credentials.get("email") or ""
    audit.record("user.sign_in_failed", str(tried))


@receiver(mfa.authentication_failed)
def on_wrong_code(user: User, authenticator: Any, **_: Any) -> None:
    audit.record("user.sign_in_failed", _person(user), after={"second_factor": authenticator.type})


@receiver(mfa.authenticator_added)
@receiver(mfa.authenticator_reset)
def on_second_factor(user: User, authenticator: Any, **_: Any) -> None:
    audit.record("user.changed", _person(user), after={"second_factor": authenticator.type})


@receiver(mfa.authenticator_removed)
def on_second_factor_gone(user: User, authenticator: Any, **_: Any) -> None:
    audit.record("user.changed", _person(user), before={"second_factor": authenticator.type})


@receiver(social.social_account_added)
def on_sign_on(sociallogin: Any, **_: Any) -> None:
    provider = sociallogin.account.provider
    audit.record("user.changed", _person(sociallogin.user), after={"single_sign_on": provider})


@receiver(social.social_account_removed)
def on_sign_on_gone(socialaccount: Any, **_: Any) -> None:
    before = {"single_sign_on": socialaccount.provider}
    audit.record("user.changed", _person(socialaccount.user), before=before)


def _person(user: User) -> str:
    return f"user:{user.pk} {user}"
