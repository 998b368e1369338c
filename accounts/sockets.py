"""Who is asking over a socket: a person by their session, or whoever holds a key."""

from importlib import import_module
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.utils import timezone

from .addresses import client_address
from .authentication import given_key
from .callers import BadKey, Caller, caller_of, caller_of_key
from .models import User
from .origins import is_own_or_allowed_origin, is_own_origin

SCHEMES = {"ws": "http", "wss": "https"}


class NotLetIn(Exception):
    """The handshake or a frame comes from somebody who may not ask; the text says why."""


def request_of(scope: dict[str, Any]) -> HttpRequest:
    """The handshake as the HTTP request that it was."""
    scheme = SCHEMES.get(scope.get("scheme") or "ws", "http")
    return ASGIRequest({**scope, "scheme": scheme, "method": "GET"}, BytesIO())


def caller_of_socket(request: HttpRequest, endpoint: str) -> Caller:
    """Who asks, as far as their policies let them use the endpoint now.

    Raises:
        NotLetIn: nobody that we know, or a page of another site.
        Forbidden: a policy does not let them in.
    """
    caller = _caller(request)
    caller.policy.check_expiry(timezone.now())
    caller.policy.check_address(client_address(request))
    caller.policy.check_endpoint(endpoint)
    return caller


def _caller(request: HttpRequest) -> Caller:
    _refuse_other_hosts(request)
    if not settings.CONFIG.security.enable_auth:
        _refuse_other_sites(request)
        return caller_of(User.objects.local())
    if key := given_key(request):
        try:
            return caller_of_key(key, timezone.now())
        except BadKey as error:
            raise NotLetIn(str(error)) from None
    if not is_own_origin(request):
        raise NotLetIn("Send a key, or from a page of this site the session's cookie.")
    return caller_of(_signed_in(request))


def _refuse_other_hosts(request: HttpRequest) -> None:
    try:
        request.get_host()
    except DisallowedHost as error:
        raise NotLetIn(str(error)) from None


def _refuse_other_sites(request: HttpRequest) -> None:
    """Browsers let any page open a socket to this machine."""
    if not is_own_or_allowed_origin(request):
        raise NotLetIn(f"A page of {request.headers.get('origin')} may not use this service.")


def _signed_in(request: HttpRequest) -> User:
    engine = import_module(settings.SESSION_ENGINE)
    request.session = engine.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    if not isinstance(user, User) or not user.is_active:
        raise NotLetIn("Nobody is signed in.")
    return user
