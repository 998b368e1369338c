"""Pieces of the chat page, for sockets that a page listens on."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import translation

from .branch import attachments_before, end_of_branch
from .rendering import apart


async def turn_html(answer: UUID, request: HttpRequest) -> str:
    """The answer, and what a person said before it."""
    return await apart(_turn, answer, _language(request))


async def message_html(uid: UUID, request: HttpRequest) -> str:
    return await apart(_message, uid, _language(request))


def _language(request: HttpRequest) -> str:
    return translation.get_language_from_request(request)


def _turn(answer: UUID, language: str) -> str:
    turn, num_before = end_of_branch(answer, 2)
    numbers = attachments_before(turn, num_before)
    context = {"question": turn[0], "answer": turn[1], "numbers": numbers}
    with translation.override(language):
        return _text("chat/turn.html", context)


def _message(uid: UUID, language: str) -> str:
    [shown], num_before = end_of_branch(uid, 1)
    context = {"shown": shown, "numbers": attachments_before([shown], num_before)}
    with translation.override(language):
        return _text("chat/message.html", context)


def _text(template: str, context: dict[str, Any]) -> str:
    """A text and nothing more: frames are encoded by who knows no strings of Django's."""
    return render_to_string(template, context) + ""
