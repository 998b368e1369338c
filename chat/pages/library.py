"""The conversations at the side of every chat page: lists, search, and the way to a hit."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chat import branch
from chat.library import RECENT, Cursor, Place, where_kept
from chat.models import Conversation
from chat.search import search

from .answers import asked_place, is_htmx, list_context
from .own import own_conversation, owner_of

HITS = 50


def sidebar(request: HttpRequest, current: Conversation | None = None) -> dict[str, Any]:
    """What `chat/sidebar.html` needs; that of the conversation whose page it is, if any."""
    place = where_kept(current) if current else Place(RECENT)
    return list_context(request, place) | {"current": current.uid if current else None}


@never_cache
@require_safe
def listing(request: HttpRequest, place: str) -> HttpResponse:
    after = request.GET.get("after", "")
    cursor = _cursor_or_404(after) if after else None
    context = list_context(request, asked_place(request, place), cursor)
    if not is_htmx(request):
        return render(request, "chat/library_page.html", context)
    return render(request, "chat/rows.html" if after else "chat/library.html", context)


def _cursor_or_404(text: str) -> Cursor:
    try:
        return Cursor.of(text)
    except ValueError:
        raise Http404 from None


@never_cache
@require_safe
def found(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "")
    if not query.strip():
        context = list_context(request, Place(RECENT))
        name = "chat/library.html" if is_htmx(request) else "chat/library_page.html"
        return render(request, name, context)
    hits = search(owner_of(request), query, HITS)
    name = "chat/hits.html" if is_htmx(request) else "chat/hits_page.html"
    return render(request, name, {"hits": hits, "query": query, "is_full": len(hits) == HITS})


@never_cache
@require_safe
def at_message(request: HttpRequest, uid: UUID, message: UUID) -> HttpResponse:
    """The conversation's page at that message; asks first if another branch is shown."""
    conversation = own_conversation(request, uid)
    row = get_object_or_404(conversation.messages, uid=message)
    if row.pk not in {one.message.pk for one in branch.branch(conversation)}:
        context = {"conversation": conversation, "message": row}
        return render(request, "chat/other_branch.html", context)
    return redirect(f"{conversation.get_absolute_url()}#message-{row.uid.hex}")
