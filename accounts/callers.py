"""Who calls: a person by one of their keys, a key of the configuration, or the local user."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from django.conf import settings

from .models import ApiKey, Policy, User
from .policy import NO_POLICY, EffectivePolicy


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they may.

    Attributes:
        owner: what belongs together, never given to anybody else: `user:7`, or
            `config:` and the start of the digest of a key of the configuration.
        name: the same for people; it outlives the person in the ledger.
    """

    owner: str
    name: str
    user: User | None = None
    key: ApiKey | None = None
    policy: EffectivePolicy = NO_POLICY

    is_authenticated: Literal[True] = True
    is_anonymous: Literal[False] = False
    is_active: Literal[True] = True

    @property
    def pk(self) -> str:
        return self.owner

    @property
    def subject(self) -> str:
        """What requests are counted under: the key and its predecessors, if there is one."""
        return self.key.subject if self.key else self.owner

    @property
    def key_label(self) -> str:
        return str(self.key) if self.key else ""

    @property
    def is_operator(self) -> bool:
        """May see what concerns everybody: an administrator, or a key of the configuration."""
        return self.user.is_staff if self.user else True

    def __str__(self) -> str:
        return self.owner


def caller_of(user: User, key: ApiKey | None = None) -> Caller:
    """The person with the rules that hold for them, and for the key."""
    return Caller(owner_of(user), user.get_username(), user, key, policy_of(user, key))


def owner_of(user: User) -> str:
    """As a Caller has it."""
    return f"user:{user.pk}"


def policy_of(user: User, key: ApiKey | None = None) -> EffectivePolicy:
    """Key first: of rules that are equally strict, the nearest is named."""
    levels = Policy.objects.held_by(user, key)
    return EffectivePolicy(sorted(levels, key=lambda level: (not level.key_id, not level.user_id)))


class BadKey(Exception):
    """The key lets nobody in; the text says why to whoever holds it."""


def caller_of_key(text: str, now: datetime) -> Caller:
    """Look the key up among people's, and among those of the configuration.

    Both are always searched, and both in a time that does not tell how near a guess is.

    Raises:
        BadKey: there is no such key, or it does not hold any more.
    """
    key = ApiKey.objects.select_related("user").of_text(text)
    configured = configured_name(text)
    if key:
        refuse_unusable(key)
        key.note_use(now)
        return caller_of(key.user, key)
    if configured:
        return Caller(configured, configured)
    raise BadKey("The API key is not valid.")


def refuse_unusable(key: ApiKey) -> None:
    """
    Raises:
        BadKey: it was revoked, has expired, or its account is not active.
    """
    match key.state:
        case "revoked":
            raise BadKey(f"The API key {key.shown} was revoked.")
        case "expired":
            raise BadKey(f"The API key {key.shown} expired at {key.expires_at:%Y-%m-%d %H:%M} UTC.")
    if not key.user.is_active:
        raise BadKey(f"The account of the API key {key.shown} is not active.")


def configured_name(text: str) -> str | None:
    """What a key of the configuration goes by; compares with every one."""
    digest = sha256(text.encode("latin-1", "replace")).digest()  # as the server decoded it
    known = [sha256(k.get_secret_value().encode()) for k in settings.CONFIG.security.api_keys]
    matches = [hmac.compare_digest(digest, one.digest()) for one in known]
    return f"config:{digest.hex()[:8]}" if any(matches) else None
