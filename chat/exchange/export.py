"""Conversations as our own JSON, a message at a time: memory never holds them all."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from chat.models import Attachment, Conversation, Message, Status

from .own import NAME, OF_CONVERSATION, OF_FILE, OF_MESSAGE, VERSION

CHUNK = 50  # messages read at once, with their attachments


def json_pieces(conversations: QuerySet[Conversation], now: datetime) -> Iterator[str]:
    """One JSON document."""
    head = {"format": NAME, "version": VERSION, "exported_at": now.isoformat()}
    yield _opened(head, "conversations")
    separator = ""
    for conversation in conversations.select_related("folder", "head").iterator(CHUNK):
        yield separator
        yield from _conversation(conversation)
        separator = ",\n"
    yield "]}\n"


def _conversation(conversation: Conversation) -> Iterator[str]:
    yield _opened(_facts(conversation), "messages")
    uids = dict(conversation.messages.values_list("pk", "uid"))
    messages = conversation.messages.order_by("pk").prefetch_related("attachments")
    separator, numbers = "", dict[int, int]()
    for message in messages.iterator(CHUNK):
        facts = _message(message, str(uids.get(message.parent_id or 0, "")), numbers)
        yield separator + _json(facts)
        separator = ",\n"
    yield "]}"


def _facts(conversation: Conversation) -> dict[str, Any]:
    return {
        "title": conversation.title,
        "folder": conversation.folder.name if conversation.folder else "",
        "head": str(conversation.head.uid) if conversation.head else None,
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
        **{name: getattr(conversation, name) for name in OF_CONVERSATION},
    }


def _message(message: Message, parent: str, numbers: dict[int, int]) -> dict[str, Any]:
    """One that is being written is exported as what it would be if it ended here. `numbers`
    are those of the attachments so far, by primary key, and grow.
    """
    columns = {name: getattr(message, name) for name in OF_MESSAGE}
    columns["unseen"] = [str(UUID(key)) for key in message.unseen]
    if message.is_running:
        columns["status"] = Status.INTERRUPTED
    return {
        "uid": str(message.uid),
        "parent": parent or None,
        "role": message.role,
        "text": message.text,
        "created_at": message.created_at,
        **columns,
        "attachments": [_file(one, numbers) for one in message.attachments.all()],
    }


def _file(attachment: Attachment, numbers: dict[int, int]) -> dict[str, Any]:
    columns = {name: getattr(attachment, name) for name in OF_FILE}
    source = numbers.get(attachment.source_id or 0)
    numbers[attachment.pk] = len(numbers)
    if source is None:
        return columns | {"text": attachment.content}
    return columns | {"copy_of": source}


def _opened(facts: dict[str, Any], name: str) -> str:
    """An object to whose last field, a list, more comes."""
    return _json(facts)[:-1] + f', "{name}": ['


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
