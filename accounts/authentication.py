"""Who is asking, in the REST API: whoever holds a key."""

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from .callers import BadKey, Caller, caller_of, caller_of_key
from .models import User
from .origins import is_own_or_allowed_origin

REJECTED = "invalid_api_key"


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer KEY` or `x-api-key: KEY`; anybody if `enable_auth` is off.

    A missing key is refused here and not by a permission, so that no view is
    open by forgetting one. A public view says `authentication_classes = []`.
    """

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        if not settings.CONFIG.security.enable_auth:
            _refuse_other_sites(request)
            return caller_of(User.objects.local()), None
        key = given_key(request)
        if not key:
            raise AuthenticationFailed(
                "No API key was given. Send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'.",
                REJECTED,
            )
        try:
            return caller_of_key(key, timezone.now()), None
        except BadKey as error:
            raise AuthenticationFailed(str(error), REJECTED) from None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def caller(request: Request) -> Caller:
    """Who asks, in a view behind this authentication."""
    assert isinstance(request.user, Caller)
    return request.user


def _refuse_other_sites(request: Request) -> None:
    """Without keys, being on this machine is all that counts, and every page that the
    browser here shows is: one of another site must not spend our time, or read answers.
    """
    if not is_own_or_allowed_origin(request):
        raise PermissionDenied(
            f"A page of {request.headers.get('origin')} may not use this service"
            " without security.enable_auth, unless security.cors_origins names it."
        )


def given_key(request: Request | HttpRequest) -> str:
    """The key as the client sent it; empty if there is none."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    key = credentials if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    return str(key).strip()
