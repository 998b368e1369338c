"""Finding, in the conversations of one caller."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from django.db import connection
from django.db.models import Max, QuerySet
from django.db.models.expressions import RawSQL

from chat.models import Conversation, Message, Role

from . import postgresql, sqlite
from .plain import plain
from .words import Query, parse

Parts = list["Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text: of what was searched for, or what stands around it."""

    text: str
    is_match: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A conversation, and the newest of its messages that matches; without, its title does."""

    conversation: Conversation
    message: Message | None
    snippet: Parts


def index() -> ModuleType:
    """How this database searches."""
    return postgresql if connection.vendor == "postgresql" else sqlite


def search(owner: str, query: str, limit: int = 50) -> list[Hit]:
    """What that caller finds: by title first, then by what was said last.

    Of `query` a few words count (`words`); one that has none finds nothing.
    """
    parsed = parse(query)
    if not parsed.terms:
        return []
    mine = Conversation.objects.owned_by(owner).chats()
    hits = _titled(mine, parsed, limit)
    found = [hit.conversation.pk for hit in hits]
    return hits + _said(mine.exclude(pk__in=found), parsed, limit - len(hits))


def _titled(mine: QuerySet[Conversation], query: Query, limit: int) -> list[Hit]:
    rows = mine.filter(pk__in=_ids("chat_conversation", query)).order_by("-updated_at", "-pk")
    found = [*rows[:limit]]
    texts = _snippets("chat_conversation", query, [one.pk for one in found])
    return [Hit(one, None, _parts(texts.get(one.pk, ""))) for one in found]


def _said(mine: QuerySet[Conversation], query: Query, limit: int) -> list[Hit]:
    matching = Message.objects.filter(conversation__in=mine, pk__in=_ids("chat_message", query))
    newest = matching.order_by().values("conversation").annotate(newest=Max("pk"))
    ids = [*newest.order_by("-newest").values_list("newest", flat=True)[:limit]]
    rows = Message.objects.select_related("conversation").in_bulk(ids)
    texts = _snippets("chat_message", query, ids)
    return [_hit(rows[pk], texts.get(pk, "")) for pk in ids if pk in rows]


def _hit(message: Message, marked: str) -> Hit:
    is_markdown = message.role == Role.ASSISTANT
    return Hit(message.conversation, message, _parts(plain(marked) if is_markdown else marked))


def _ids(table: str, query: Query) -> Any:
    sql, parameters = index().matching(table, query)
    return RawSQL(sql, parameters)  # noqa: S611  # nosec B611  what was typed is a parameter


def _snippets(table: str, query: Query, ids: list[int]) -> dict[int, str]:
    """Texts with what matches between the characters 2 and 3."""
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(*index().snippets(table, query, ids))
        return dict(cursor.fetchall())


def _parts(marked: str) -> Parts:
    """Text with what matches between the characters 2 and 3, in pieces."""
    before, *rest = marked.split("\2")
    parts = [Part(before, False)]
    for piece in rest:
        match, _, after = piece.partition("\3")
        parts += [Part(match, True), Part(after, False)]
    return [part for part in parts if part.text]
