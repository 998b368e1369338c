"""Who is asking, in the REST API: whoever holds a key of the configuration."""

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

REJECTED = "invalid_api_key"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked. No row of the database stands behind it."""

    owner: str
    """What usage is counted under: `local`, or `key:` and the start of the key's digest."""

    is_authenticated: Literal[True] = True
    is_anonymous: Literal[False] = False
    is_active: Literal[True] = True

    @property
    def pk(self) -> str:
        return self.owner

    def __str__(self) -> str:
        return self.owner


LOCAL = Caller("local")


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer KEY` or `x-api-key: KEY`; anybody if `enable_auth` is off.

    A missing key is refused here and not by a permission, so that no view is
    open by forgetting one. A public view says `authentication_classes = []`.
    """

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        if not settings.CONFIG.security.enable_auth:
            _refuse_other_sites(request)
            return LOCAL, None
        key = _given_key(request)
        if not key:
            raise AuthenticationFailed(
                "No API key was given. Send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'.",
                REJECTED,
            )
        owner = _owner(key)
        if owner is None:
            raise AuthenticationFailed("The API key is not valid.", REJECTED)
        return Caller(owner), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _refuse_other_sites(request: Request) -> None:
    """Without keys, being on this machine is all that counts, and every page that the
    browser here shows is: one of another site must not spend our time, or read answers.
    """
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.get_host():
        raise PermissionDenied(
            f"A page of {origin} may not use this service without security.enable_auth."
        )


def _given_key(request: Request) -> bytes:
    """The key as the client sent it; empty if there is none."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    key = credentials if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    return key.strip().encode("latin-1", "replace")  # as the server decoded it


def _owner(key: bytes) -> str | None:
    """Compares with every key, in a time that tells nothing about any of them."""
    digest = sha256(key).digest()
    known = [sha256(k.get_secret_value().encode()) for k in settings.CONFIG.security.api_keys]
    matches = [hmac.compare_digest(digest, one.digest()) for one in known]
    return f"key:{digest.hex()[:8]}" if any(matches) else None
