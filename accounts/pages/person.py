"""Who a page is for."""

from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import PermissionDenied
from django.contrib.auth.views import redirect_to_login
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
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseBase:
        """A script would take the page to sign in for the answer to what it has asked."""
        if request.headers.get("HX-Request") == "true":
            shown = request.headers.get("HX-Current-URL", "").partition(request.get_host())[2]
            to_sign_in = redirect_to_login(shown or "/", self.get_login_url(view_func))
            return HttpResponse(headers={"HX-Redirect": to_sign_in.url})
        if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
            return HttpResponse(status=401)
        return super().handle_no_permission(request, view_func)


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
