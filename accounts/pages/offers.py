"""What this site offers to people, by its configuration."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase

from accounts.models import User
from accounts.models.user import LOCAL

View = Callable[..., HttpResponseBase]


class Offers:
    """What there is for the person behind a request. Asks when it is asked."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._security = settings.CONFIG.security

    @property
    def needs_sign_in(self) -> bool:
        return bool(self._security.enable_auth)

    @property
    def base_url(self) -> str:
        """Where people reach this site, without a slash at the end."""
        here = self._request.build_absolute_uri("/").rstrip("/")
        return str(settings.CONFIG.server.public_url or here)

    @property
    def sends_mail(self) -> bool:
        """Not where a stranger who asks with a host of theirs would have a link to it sent."""
        knows_own_name = settings.CONFIG.server.public_url or "*" not in settings.ALLOWED_HOSTS
        return bool(settings.CONFIG.email.host and knows_own_name)

    @property
    def has_sign_up(self) -> bool:
        return bool(self._security.allow_sign_up)

    @property
    def has_single_sign_on(self) -> bool:
        return bool(self._security.oidc_providers)

    @property
    def starts_totp(self) -> bool:
        return bool(self._security.enable_totp)

    @property
    def has_totp(self) -> bool:
        """Whoever protects their account can still see to it when it is offered no more."""
        return self.starts_totp or bool(is_mfa_enabled(self._request.user))

    @property
    def awaits_first_person(self) -> bool:
        return not User.objects.exclude(username=LOCAL).exists()


def offers(request: HttpRequest) -> dict[str, Any]:
    """A context processor: `offers` in every template."""
    return {"offers": Offers(request)}


def if_offered(name: str, view: View) -> View:
    """The view, or 404 where `Offers` has no such thing."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not getattr(Offers(request), name):
            raise Http404
        return view(request, *args, **kwargs)

    return checked
