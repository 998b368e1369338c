"""How a page answers: a piece of it to htmx, a whole page or a redirect to all others."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.pages.person import person
from chat.library import RECENT, Cursor, Place, listing, place_of
from chat.models import Conversation, Folder

from .own import owner_of
from .zone import zone_of

PAGE_OF_ONE = re.compile(r"^/c/([0-9a-f-]{36})/")


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def current_uid(request: HttpRequest) -> UUID | None:
    """The conversation whose page is open, from which htmx asks."""
    path = urlsplit(request.headers.get("HX-Current-URL", "")).path
    match = PAGE_OF_ONE.match(path)
    try:
        return UUID(match[1]) if match else None
    except ValueError:
        return None


def asked_place(request: HttpRequest, name: str = "") -> Place:
    """
    Raises:
        Http404: there is none of that name, or it is somebody else's.
    """
    name = name or request.POST.get("place", "") or request.GET.get("place", "") or RECENT
    try:
        return place_of(name, person(request))
    except Folder.DoesNotExist:
        raise Http404 from None


def list_context(request: HttpRequest, place: Place, after: Cursor | None = None) -> dict[str, Any]:
    user = person(request)
    now = timezone.now().astimezone(zone_of(request))
    return {
        "listing": listing(owner_of(request), place, after, now),
        "folders": user.folders.all(),
        "current": current_uid(request),
    }


def list_again(request: HttpRequest, place: Place, toast: Mapping[str, Any]) -> HttpResponse:
    """The list as it is now, and a word on what was done."""
    return render(request, "chat/library_changed.html", {**list_context(request, place), **toast})


def row_gone(
    request: HttpRequest, conversation: Conversation, toast: Mapping[str, Any]
) -> HttpResponse:
    """Its row goes from where it is; all that was scrolled to stays."""
    response = render(request, "chat/toast.html", toast)
    response["HX-Retarget"] = f"#conversation-{conversation.uid.hex}"
    response["HX-Reswap"] = "delete"
    return response


def said(request: HttpRequest, text: str, *where: Any, **kwargs: Any) -> HttpResponse:
    """For pages without htmx: go on to that one, which says it."""
    messages.success(request, text)
    return redirect(*where, **kwargs)
