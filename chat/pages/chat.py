"""The pages of conversations: a new one, one of one's own, and another branch of it."""

from functools import partial
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.pages.person import person
from chat import branch
from chat.models import Conversation, Preset
from chat.telling import tell_switch

from .choice import choice_for
from .connect import may_add_models
from .forms import SettingsForm
from .own import own_conversation, own_message, uid_or_404
from .thread import thread_of

SUGGESTIONS = [
    gettext_lazy("Explain a hash table to somebody who can cook but not program."),
    gettext_lazy("Draft a friendly reply that declines a meeting."),
    gettext_lazy("Write a Python function that merges overlapping intervals."),
    gettext_lazy("List three questions I should ask before I sign a lease."),
]


@never_cache
@require_safe
def new_chat(request: HttpRequest) -> HttpResponse:
    return render(request, "chat/page.html", _context(request, None))


@never_cache
@require_safe
def conversation(request: HttpRequest, uid: UUID) -> HttpResponse:
    found = own_conversation(request, uid)
    context = _context(request, found) | {"thread": thread_of(found)}
    return render(request, "chat/page.html", context)


def _context(request: HttpRequest, conversation: Conversation | None) -> dict[str, Any]:
    choice = choice_for(request, conversation)
    return {
        "conversation": conversation,
        "choice": choice,
        "form": SettingsForm.of(conversation),
        "presets": Preset.objects.filter(user=person(request)),
        "suggestions": SUGGESTIONS,
        "may_add": not choice.offers and may_add_models(request),
    }


@never_cache
@require_POST
def show_branch(request: HttpRequest) -> HttpResponseRedirect:
    """Show the branch through the message that was posted, where it was left."""
    message = own_message(request, uid_or_404(request.POST.get("message", "")))
    branch.switch(message.conversation, message.uid)
    tell = partial(async_to_sync(tell_switch), message.conversation)
    transaction.on_commit(tell, robust=True)
    page = redirect("conversation", uid=message.conversation.uid)
    return redirect(f"{page.url}#message-{message.uid.hex}")
