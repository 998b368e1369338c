"""One prompt, two models, side by side: two conversations of one's own."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.pages.person import person
from chat.models import Preset

from .choice import Choice, offers_for
from .connect import may_add_models
from .forms import SettingsForm
from .own import own_conversation, uid_or_404
from .thread import thread_of

SIDES = ("left", "right")


@never_cache
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """`left` and `right` name the two conversations, once there are."""
    offers = offers_for(request)
    columns = [_column(request, side, offers) for side in SIDES]
    begun = next((one["conversation"] for one in columns if "conversation" in one), None)
    context = {
        "columns": columns,
        "form": SettingsForm.of(begun),
        "presets": Preset.objects.filter(user=person(request)),
        "has_models": bool(offers),
        "may_add": not offers and may_add_models(request),
    }
    return render(request, "chat/compare.html", context)


def _column(request: HttpRequest, side: str, offers: list[Any]) -> dict[str, Any]:
    if uid := request.GET.get(side):
        found = own_conversation(request, uid_or_404(uid))
        choice = Choice(offers, found.model)
        return {"side": side, "choice": choice, "conversation": found, "thread": thread_of(found)}
    index = min(SIDES.index(side), len(offers) - 1)
    return {"side": side, "choice": Choice(offers, offers[index].slug if offers else "")}
