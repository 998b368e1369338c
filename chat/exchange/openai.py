"""ChatGPT's export: `conversations.json`, each conversation a `mapping` of nodes."""

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
from .words import Words
from .words import say as _

ROLES = (USER, ASSISTANT)
TEXTS = ("text", "multimodal_text", "code")  # content types that have text of a message


class OpenAIFormat(Format):
    label = _("ChatGPT export")

    def recognizes(self, data: Any) -> bool:
        one = values.mapping(next(iter(values.items(data)), data))
        return "mapping" in one

    def read(self, data: Any, left: Leavings) -> list[Draft]:
        drafts = []
        for number, raw in enumerate(data if isinstance(data, list) else [data]):
            place = f"conversations[{number}]"
            if draft := _draft(values.mapping(raw), place, left):
                drafts.append(draft)
        return drafts


def _draft(raw: Mapping[str, Any], place: str, left: Leavings) -> Draft | None:
    mapping = raw.get("mapping")
    if not isinstance(mapping, dict):
        left.add(_("a conversation without a mapping of messages"), place)
        return None
    check_number(mapping, place)
    nodes = {key: _node(key, values.mapping(one), place, left) for key, one in mapping.items()}
    tree = Nodes(nodes, place, left)
    head = tree.head(raw.get("current_node"))
    messages = joined(tree.messages(), head)
    if not messages:
        left.add(_("a conversation without a message of text"), place)
        return None
    return Draft(
        title=values.line(raw.get("title"), MAX_TITLE),
        messages=messages,
        head=head or messages[-1].key,
        created_at=values.instant(raw.get("create_time")),
        updated_at=values.instant(raw.get("update_time")),
        columns={"archived": raw.get("is_archived") is True},
    )


def _node(key: str, raw: Mapping[str, Any], place: str, left: Leavings) -> Node:
    parent = raw.get("parent") if isinstance(raw.get("parent"), str) else None
    message = raw.get("message")
    if not isinstance(message, dict):
        return Node(parent, None)  # a root has none
    return Node(parent, _message(key, message, f"{place}, {key}", left))


def _message(key: str, raw: dict[str, Any], place: str, left: Leavings) -> DraftMessage | None:
    role = values.mapping(raw.get("author")).get("role")
    content = values.mapping(raw.get("content"))
    text = _text(content, place, left)
    is_hidden = bool(
        values.mapping(raw.get("metadata")).get("is_visually_hidden_from_conversation")
    )
    if why := _why_not(role, content, text, is_hidden):
        if text.strip():
            left.add(why, place)
        return None
    assert isinstance(role, str)
    model = values.line(values.mapping(raw.get("metadata")).get("model_slug"), 200)
    return DraftMessage(
        key=key,
        parent=None,
        role=role,
        text=text,
        created_at=values.instant(raw.get("create_time")),
        columns={"model": model} if role == ASSISTANT else {},
    )


def _why_not(role: Any, content: Mapping[str, Any], text: str, is_hidden: bool) -> Words | None:
    """The reason to leave it out, or nothing."""
    kind = content.get("content_type")
    if not isinstance(role, str) or role not in ROLES:
        return message_of(role)
    if is_hidden:
        return _("a message that was not shown")
    if kind not in TEXTS:
        return _("a message of the type %(type)s", type=str(kind)[:40])
    if len(text) > MAX_TEXT:
        return too_long()
    return None if text.strip() else _("a message without text")


def _text(content: Mapping[str, Any], place: str, left: Leavings) -> str:
    """Parts are texts, or objects such as an image."""
    parts = values.items(content.get("parts"))
    for part in parts:
        if isinstance(part, dict) and not values.text(part.get("text")):
            kind = str(part.get("content_type"))[:40]
            left.add(_("a part of a message: %(type)s", type=kind), place)
    texts = [values.text(part) or values.text(values.mapping(part).get("text")) for part in parts]
    return "\n\n".join(filter(None, texts)) or values.text(content.get("text"))
