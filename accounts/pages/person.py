"""Who a page is for."""

from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from accounts.models import User


class SignInRequired(LoginRequiredMiddleware):
    """With `enable_auth`, a view is for people who signed in, unless it says otherwise.

    So no page is open by forgetting something. Those of sign-in say
    `login_not_required`, and so do the API's, which ask for keys.
    """

    def process_view(
        self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        is_open = not getattr(view_func, "login_required", True)
        if is_open or not settings.CONFIG.security.enable_auth:
            return None
        page = super().process_view(request, view_func, view_args, view_kwargs)
        return None if page is None else _for_script(request) or page


def _for_script(request: HttpRequest) -> HttpResponse | None:
    """Instead of a page to sign in, which it would take for the answer to what it has asked."""
    if request.headers.get("HX-Request") == "true":
        shown = request.headers.get("HX-Current-URL", "").partition(request.get_host())[2]
        return HttpResponse(headers={"HX-Redirect": redirect_to_login(shown or "/").url})
    if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
        return HttpResponse(status=401)
    return None


def person(request: HttpRequest) -> User:
    """Whoever signed in, or everybody as one while `enable_auth` is off.

    Raises:
        PermissionDenied: nobody has signed in, and it is needed.
    """
    if not settings.CONFIG.security.enable_auth:
        return User.objects.local()
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
