"""Files that a person attaches to what they are about to say: JSON for the page's script."""

from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.pages.person import person
from chat.attachments import store, tokens
from chat.attachments.errors import AttachmentRefused, FileMissing
from chat.attachments.names import clean_name
from chat.attachments.reading import QUEUE, read
from chat.models import Attachment

PREVIEW_CHARACTERS = 2000


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
async def attachments(request: HttpRequest) -> HttpResponse:
    """Lists those that were not sent yet, and takes another."""
    user = await sync_to_async(person)(request)
    if request.method != "POST":
        unsent = Attachment.objects.owned_by(user).unsent()
        return JsonResponse({"attachments": [_facts(one) async for one in unsent]})
    try:
        file, model = _only_file(request), request.POST.get("model", "")
        return await _upload(user, file, model)
    except AttachmentRefused as refusal:
        return _refused(refusal)


def _only_file(request: HttpRequest) -> UploadedFile:
    files = request.FILES.getlist("file")
    if len(files) != 1:
        raise FileMissing
    return files[0]


async def _upload(user: User, file: UploadedFile, model: str) -> HttpResponse:
    """A PDF may take its time: no thread that pages share waits for it."""
    name, size = clean_name(file.name or ""), file.size or 0
    await sync_to_async(store.check)(user, name, size)
    async with QUEUE.turn(user.pk):
        most = settings.CONFIG.limits.max_attachment_characters
        reading = await read(file.read(), name, most)
    num_tokens = await tokens.counted(user, model, reading.text)
    attachment = await sync_to_async(store.add)(user, name, size, reading, num_tokens)
    note = "" if reading.doubt is None else str(reading.doubt)
    return JsonResponse({**_facts(attachment), "note": note}, status=201)


def _refused(refusal: AttachmentRefused) -> HttpResponse:
    said = {"message": refusal.message, "param": refusal.param, "code": refusal.code}
    return JsonResponse({"error": said}, status=refusal.status)


@never_cache
@require_http_methods(["GET", "HEAD", "DELETE"])
def attachment(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Shows how a file begins, and removes one that was not sent."""
    own = Attachment.objects.owned_by(person(request)).select_related("source")
    if request.method != "DELETE":
        shown = get_object_or_404(own.shown(), uid=uid)
        return JsonResponse({**_facts(shown), "beginning": shown.content[:PREVIEW_CHARACTERS]})
    # One statement: it may be sent at the same time.
    num_deleted, _ = own.unsent().filter(uid=uid).delete()
    return HttpResponse(status=204 if num_deleted else 404)


def _facts(attachment: Attachment) -> dict[str, Any]:
    return {
        "uid": str(attachment.uid),
        "name": attachment.name,
        "media_type": attachment.media_type,
        "size_bytes": attachment.size_bytes,
        "num_tokens": attachment.cost,
        "is_estimate": attachment.is_estimate,
        "num_characters": len(attachment.content),
        "is_sent": attachment.message_id is not None,
    }
