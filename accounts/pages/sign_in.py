"""Sign-in where this site's differs from allauth's."""

import logging
from typing import Any

from allauth.account import views as account
from allauth.socialaccount.providers.openid_connect import views as oidc
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from .offers import Offers

logger = logging.getLogger(__name__)


class PasswordResetView(account.PasswordResetView):
    """Where no mail is sent the page says whom to ask, and takes nothing."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer = super().post if Offers(request).sends_mail else super().get
        response: HttpResponseBase = answer(request, *args, **kwargs)
        return response


@login_not_required
def start_single_sign_on(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """As allauth's, where a provider that cannot be reached is an error of the server."""
    try:
        response: HttpResponseBase = oidc.login(request, provider_id)
    except OSError:
        logger.exception("an identity provider cannot be asked", extra={"provider": provider_id})
        return render(request, "socialaccount/authentication_error.html", status=503)
    return response
