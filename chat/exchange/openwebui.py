"""Open WebUI's export: a list of chats, each with a history of messages, or an older list."""

from collections.abc import Mapping
from typing import Any

from . import values
from .base import (
    ASSISTANT,
    MAX_TEXT,
    MAX_TITLE,
    USER,
    Draft,
    DraftMessage,
    Format,
    Leavings,
    message_of,
    too_long,
)
from .nodes import Node, Nodes, check_number
from .runs import joined
from .thinking import split
from .words import Words
from .words import say as _

ROLES = (USER, ASSISTANT)


class OpenWebUIFormat(Format):
    label = _("Open WebUI export")

    def recognizes(self, data: Any) -> bool:
        return "chat" in values.mapping(next(iter(values.items(data)), data))

    def read(self, data: Any, left: Leavings) -> list[Draft]:
        drafts = []
        for number, raw in enumerate(data if isinstance(data, list) else [data]):
            place = f"[{number}].chat"
            if draft := _draft(values.mapping(raw), place, left):
                drafts.append(draft)
        return drafts


def _draft(raw: Mapping[str, Any], place: str, left: Leavings) -> Draft | None:
    chat = values.mapping(raw.get("chat"))
    tree = Nodes(_nodes(chat, place, left), place, left)
    current = values.mapping(chat.get("history")).get("currentId")
    head = tree.head(current)
    messages = joined(tree.messages(), head)
    if not messages:
        left.add(_("a conversation without a message of text"), place)
        return None
    return Draft(
        title=values.line(chat.get("title") or raw.get("title"), MAX_TITLE),
        messages=messages,
        head=head or messages[-1].key,
        created_at=values.instant(raw.get("created_at") or chat.get("timestamp")),
        updated_at=values.instant(raw.get("updated_at")),
        columns=_columns(raw, chat),
    )


def _columns(raw: Mapping[str, Any], chat: Mapping[str, Any]) -> dict[str, Any]:
    models = values.items(chat.get("models"))
    system = chat.get("system") or values.mapping(chat.get("params")).get("system")
    return {
        "model": values.line(models[0] if models else "", 200),
        "system_prompt": values.text(system)[:MAX_TEXT],
        "is_pinned": raw.get("pinned") is True,
        "archived": raw.get("archived") is True,
    }


def _nodes(chat: Mapping[str, Any], place: str, left: Leavings) -> dict[str, Node]:
    history = values.mapping(chat.get("history")).get("messages")
    if isinstance(history, dict) and history:
        check_number(history, place)
        return {
            key: Node(_parent(values.mapping(one)), _message(key, one, place, left))
            for key, one in history.items()
        }
    nodes: dict[str, Node] = {}
    last: str | None = None
    messages = values.items(chat.get("messages"))
    check_number(messages, place)
    for number, one in enumerate(messages):
        key = f"messages[{number}]"
        nodes[key] = Node(last, _message(key, one, place, left))
        last = key
    return nodes


def _parent(raw: Mapping[str, Any]) -> str | None:
    parent = raw.get("parentId")
    return parent if isinstance(parent, str) else None


def _message(key: str, value: Any, place: str, left: Leavings) -> DraftMessage | None:
    raw, where = values.mapping(value), f"{place}, {key}"
    role = raw.get("role")
    text, reasoning = split(values.text(raw.get("content")))
    if why := _why_not(role, text + reasoning):
        left.add(why, where)
        return None
    assert isinstance(role, str)
    for file in values.items(raw.get("files")):
        name = values.line(values.mapping(file).get("name"), 80)
        left.add(_("an attachment"), f"{where}: {name}")
    is_answer = role == ASSISTANT
    return DraftMessage(
        key=key,
        parent=None,
        role=role,
        text=text,
        created_at=values.instant(raw.get("timestamp")),
        columns=_of_answer(raw, reasoning) if is_answer else {},
    )


def _of_answer(raw: Mapping[str, Any], reasoning: str) -> dict[str, Any]:
    usage = values.mapping(raw.get("usage") or raw.get("info"))
    return {
        "model": values.line(raw.get("model"), 200),
        "reasoning": reasoning,
        "prompt_tokens": values.count(usage.get("prompt_tokens")),
        "completion_tokens": values.count(usage.get("completion_tokens")),
    }


def _why_not(role: Any, text: str) -> Words | None:
    """The reason to leave it out, or nothing."""
    if not isinstance(role, str) or role not in ROLES:
        return message_of(role)
    if len(text) > MAX_TEXT:
        return too_long()
    return None if text.strip() else _("a message without text")
