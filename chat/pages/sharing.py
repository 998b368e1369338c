"""Shared links: a person's own, and what others see behind one."""

import logging
from math import ceil
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from redis.exceptions import RedisError

from accounts.errors import LimitReached
from accounts.rates import count_stranger
from chat.models import Conversation, Share
from chat.shared_page import messages_html
from chat.sharing import NothingToShare, open_share, revoke, share

from .answers import said
from .own import own_conversation, owner_of

logger = logging.getLogger(__name__)

accepts_forms = require_http_methods(["GET", "HEAD", "POST"])


@never_cache
@accepts_forms
def share_conversation(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Says what others will see, and makes the link."""
    conversation = own_conversation(request, uid)
    if request.method == "POST":
        try:
            share(conversation)
        except NothingToShare:
            return said(request, _("Nothing has been said yet."), conversation)
        return redirect("share", uid=conversation.uid)
    links = conversation.shares.filter(revoked_at=None)
    return render(request, "chat/share.html", {"conversation": conversation, "links": links})


@never_cache
@require_safe
def shared_links(request: HttpRequest) -> HttpResponse:
    return render(request, "chat/shared_links.html", {"links": _own_links(request)})


@never_cache
@accepts_forms
def revoke_link(request: HttpRequest, pk: int) -> HttpResponse:
    link = get_object_or_404(_own_links(request), pk=pk)
    if request.method != "POST":
        return render(request, "chat/share_revoke.html", {"link": link})
    revoke(link, timezone.now())
    return said(request, _("The link leads nowhere now."), "shared-links")


def _own_links(request: HttpRequest) -> QuerySet[Share]:
    own = Conversation.objects.owned_by(owner_of(request)).chats()
    links = Share.objects.filter(conversation__in=own, revoked_at=None)
    return links.select_related("conversation")


@never_cache
@require_safe
@login_not_required
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """For whoever has the link: no sign-in, no scripts, and search engines stay away."""
    try:
        count_stranger(request)
    except LimitReached as error:
        return _too_many(request, error)
    except RedisError as error:
        logger.error("the cache does not answer: %s", error)
        return render(request, "500.html", status=503)
    link = open_share(token)
    if link is None:
        raise Http404
    context = {"link": link, "shown": messages_html(link)}
    response = render(request, "chat/shared.html", context)
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _too_many(request: HttpRequest, error: LimitReached) -> HttpResponse:
    """The error says too much of the server's rules for a stranger."""
    response = render(request, "429.html", status=429)
    if error.resets_at:
        left = (error.resets_at - timezone.now()).total_seconds()
        response["Retry-After"] = str(max(1, ceil(left)))
    return response
