"""The page for programs: which models there are, and how to call the API."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .choice import offers_for


@require_safe
def connect(request: HttpRequest) -> HttpResponse:
    context = {
        "models": offers_for(request),
        "needs_key": settings.CONFIG.security.enable_auth,
        "may_add": may_add_models(request),
    }
    return render(request, "chat/connect.html", context)


def may_add_models(request: HttpRequest) -> bool:
    needs_right = settings.CONFIG.security.enable_auth
    return not needs_right or request.user.has_perm("inference.add_languagemodel")
