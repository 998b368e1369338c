"""What is done to one conversation from its row's menu."""

from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.pages.person import person
from chat.library import Place, where_kept
from chat.models import Conversation
from chat.naming import TitleForm
from chat.stopping import stop_answers
from chat.titles import tell_title

from .answers import asked_place, current_uid, is_htmx, list_again, row_gone, said
from .own import own_conversation, owner_of

accepts_forms = require_http_methods(["GET", "HEAD", "POST"])


@never_cache
@require_safe
def menu(request: HttpRequest, uid: UUID) -> HttpResponse:
    """What can be done: within the row, or as a page for browsers without scripts."""
    context = {
        "conversation": own_conversation(request, uid),
        "folders": person(request).folders.all(),
        "place": asked_place(request),
    }
    name = "chat/menu.html" if is_htmx(request) else "chat/menu_page.html"
    return render(request, name, context)


@never_cache
@accepts_forms
def rename(request: HttpRequest, uid: UUID) -> HttpResponse:
    conversation = own_conversation(request, uid)
    place = asked_place(request)
    form = TitleForm(request.POST or None, initial={"title": conversation.title})
    context = {"conversation": conversation, "place": place, "form": form}
    if request.method != "POST" or not form.is_valid():
        name = "chat/rename_row.html" if is_htmx(request) else "chat/rename.html"
        return render(request, name, context)
    conversation.entitle(form.cleaned_data["title"])
    async_to_sync(tell_title)(conversation)
    if not is_htmx(request):
        return redirect(conversation.get_absolute_url())
    return render(request, "chat/renamed.html", {**context, "current": current_uid(request)})


@never_cache
@require_POST
def pin(request: HttpRequest, uid: UUID) -> HttpResponse:
    conversation = own_conversation(request, uid)
    conversation.is_pinned = not conversation.is_pinned
    conversation.save(update_fields=["is_pinned"])
    text = _("Pinned.") if conversation.is_pinned else _("No longer pinned.")
    return _changed(request, conversation, text)


@never_cache
@require_POST
def move(request: HttpRequest, uid: UUID) -> HttpResponse:
    """To the folder that is named by its id, or to none."""
    conversation = own_conversation(request, uid)
    key = request.POST.get("folder", "")
    folders = person(request).folders
    is_key = key.isdecimal() and len(key) < 19
    conversation.folder = get_object_or_404(folders, pk=int(key) if is_key else 0) if key else None
    conversation.save(update_fields=["folder"])
    if conversation.folder:
        text = _("Moved to “%(folder)s”.") % {"folder": conversation.folder.name}
    else:
        text = _("Moved out of its folder.")
    return _changed(request, conversation, text)


@never_cache
@require_POST
def archive(request: HttpRequest, uid: UUID) -> HttpResponse:
    conversation = own_conversation(request, uid)
    conversation.archived_at = conversation.archived_at or timezone.now()
    conversation.save(update_fields=["archived_at"])
    return _changed(request, conversation, _("Archived."), undo="conversation-unarchive")


@never_cache
@require_POST
def unarchive(request: HttpRequest, uid: UUID) -> HttpResponse:
    conversation = own_conversation(request, uid)
    conversation.archived_at = None
    conversation.save(update_fields=["archived_at"])
    text = _("Back among the conversations.")
    return _changed(request, conversation, text, undo="conversation-archive")


@never_cache
@accepts_forms
def delete(request: HttpRequest, uid: UUID) -> HttpResponse:
    conversation = own_conversation(request, uid)
    if request.method != "POST":
        return render(request, "chat/delete.html", {"conversation": conversation})
    conversation.delete_softly(timezone.now())
    stop_answers(conversation)
    text = _("“%(title)s” was deleted.") % {"title": conversation.shown_title}
    if not is_htmx(request):
        return said(request, text, "conversations", place="deleted")
    if current_uid(request) == conversation.uid:
        response = said(request, text, "conversations", place="deleted")
        return HttpResponse(headers={"HX-Redirect": response["Location"]})
    return row_gone(request, conversation, _toast(conversation, text, "conversation-restore"))


@never_cache
@require_POST
def restore(request: HttpRequest, uid: UUID) -> HttpResponse:
    deleted = Conversation.objects.deleted_by(owner_of(request)).chats()
    conversation = get_object_or_404(deleted, uid=uid)
    conversation.restore()
    text = _("“%(title)s” is back.") % {"title": conversation.shown_title}
    if not is_htmx(request):
        return said(request, text, conversation)
    return list_again(request, where_kept(conversation), {"toast": text})


def _changed(
    request: HttpRequest, conversation: Conversation, text: str, undo: str = ""
) -> HttpResponse:
    if not is_htmx(request):
        return said(request, text, conversation)
    if "undo" in request.POST:  # any list may be shown by now, with its row or without
        return list_again(request, where_kept(conversation), {"toast": text})
    place = asked_place(request)
    toast = _toast(conversation, text, undo)
    if _leaves(place, conversation):
        return row_gone(request, conversation, toast)
    return list_again(request, place, toast)


def _toast(conversation: Conversation, text: str, undo: str) -> dict[str, Any]:
    """`undo` is the name of the page that takes it back, if one does."""
    return {"toast": text, "undo": reverse(undo, args=[conversation.uid]) if undo else ""}


def _leaves(place: Place, conversation: Conversation) -> bool:
    return where_kept(conversation).name != place.name
