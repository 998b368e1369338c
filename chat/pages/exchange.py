"""Conversations as files: the downloads, and the page that takes one in."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from asgiref.sync import sync_to_async
from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit
from accounts.callers import policy_of
from accounts.downloads import download
from accounts.errors import Exceeds
from accounts.models import User
from accounts.pages.person import person
from accounts.policy import Limit
from accounts.sizes import body_limit, check_body
from chat.exchange.errors import BadFile
from chat.exchange.export import json_pieces
from chat.exchange.importing import import_file
from chat.exchange.markdown import markdown_pieces
from chat.exchange.translating import translated
from chat.models import Conversation
from chat.sentences import sentence_of

from .own import own_conversation, owner_of

JSON = "application/json; charset=utf-8"
MARKDOWN = "text/markdown; charset=utf-8"


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=forms.ClearableFileInput(attrs={"accept": ".json,.zip"}),
        allow_empty_file=True,  # what is wrong with it is said as of all others
    )


@require_safe
def export_all(request: HttpRequest) -> StreamingHttpResponse:
    """Archived ones too, deleted ones not."""
    _check_site(request)
    rows = Conversation.objects.owned_by(owner_of(request)).chats().order_by("pk")
    audit.record("conversation.exported", "all conversations", after={"format": "json"})
    return _json(rows, f"llmsite-conversations-{timezone.now():%Y-%m-%d}.json")


@require_safe
def export_json(request: HttpRequest, uid: UUID) -> StreamingHttpResponse:
    _check_site(request)
    conversation = own_conversation(request, uid)
    _note(conversation, "json")
    rows = Conversation.objects.filter(pk=conversation.pk)
    return _json(rows, f"{_filename(conversation)}.json")


@require_safe
def export_markdown(request: HttpRequest, uid: UUID) -> StreamingHttpResponse:
    _check_site(request)
    conversation = own_conversation(request, uid)
    _note(conversation, "markdown")
    pieces: Iterator[str] = markdown_pieces(conversation)
    return download(pieces, f"{_filename(conversation)}.md", MARKDOWN)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
async def import_page(request: HttpRequest) -> HttpResponse:
    """Takes a file, and says what was in it; no thread that pages share waits for that."""
    upload = await sync_to_async(_upload)(request)
    done = None
    if upload.data is not None:
        try:
            done = await import_file(upload.data, upload.user, upload.owner)
        except BadFile as error:
            upload.form.add_error("file", translated(error.words))
    context = {"form": upload.form, "done": done, "most": upload.most.value}
    return await sync_to_async(render)(request, "chat/import.html", context, status=upload.status)


@dataclass
class Upload:
    """What was sent to the page; without `data` there is nothing to read."""

    form: UploadForm
    user: User
    owner: str
    most: Limit
    data: bytes | None = None
    status: int = 200


def _upload(request: HttpRequest) -> Upload:
    user, is_sent = person(request), request.method == "POST"
    form = UploadForm(request.POST, request.FILES) if is_sent else UploadForm()
    policy = policy_of(user)
    upload = Upload(form, user, owner_of(request), body_limit(policy))
    if is_sent and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            check_body(policy, file.size)
        except Exceeds as error:
            form.add_error("file", sentence_of(error.code, error.message))
            upload.status = 413
        else:
            upload.data = file.read()
    return upload


def _json(rows: QuerySet[Conversation], filename: str) -> StreamingHttpResponse:
    return download(json_pieces(rows, timezone.now()), filename, JSON)


def _check_site(request: HttpRequest) -> None:
    """Another site's link would bring a file that nobody asked for, and an entry of the log.

    Raises:
        PermissionDenied: the browser says that another site asks.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise PermissionDenied


def _note(conversation: Conversation, kind: str) -> None:
    audit.record(
        "conversation.exported",
        f"conversation:{conversation.pk} {conversation.uid}",
        after={"format": kind},
    )


def _filename(conversation: Conversation) -> str:
    """Without a word of it: names of files are seen by more programs than their texts."""
    return f"conversation-{conversation.created_at:%Y-%m-%d}-{conversation.uid.hex[:8]}"
