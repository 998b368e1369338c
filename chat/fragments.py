"""Pieces of the chat page, for sockets that a page listens on."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import translation

from .branch import Shown, attachments_before
from .branch import branch as branch_of
from .models import Message
from .rendering import apart


async def turn_html(answer: UUID, request: HttpRequest) -> str:
    """The answer, and what a person said before it."""
    return await apart(_turn, answer, _language(request))


async def message_html(uid: UUID, request: HttpRequest) -> str:
    return await apart(_message, uid, _language(request))


def _language(request: HttpRequest) -> str:
    return translation.get_language_from_request(request)


def _turn(answer: UUID, language: str) -> str:
    branch = _branch(answer)
    question, shown = branch[-2:]
    context = {"question": question, "answer": shown, "numbers": attachments_before(branch)}
    with translation.override(language):
        return _text("chat/turn.html", context)


def _message(uid: UUID, language: str) -> str:
    branch = _branch(uid)
    context = {"shown": branch[-1], "numbers": attachments_before(branch)}
    with translation.override(language):
        return _text("chat/message.html", context)


def _text(template: str, context: dict[str, Any]) -> str:
    """A text and nothing more: frames are encoded by who knows no strings of Django's."""
    return render_to_string(template, context) + ""


def _branch(uid: UUID) -> list[Shown]:
    message = Message.objects.select_related("conversation").get(uid=uid)
    return branch_of(message.conversation, message.pk)
