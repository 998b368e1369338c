"""Stored items, by their ids."""

from typing import Any

from chat.models import Conversation, Message

from .ids import parse_item_id
from .items import items_of


def find_item(name: str, owner: str) -> dict[str, Any] | None:
    """That caller's item of that id."""
    parsed = parse_item_id(name)
    if parsed is None:
        return None
    mine = Conversation.objects.owned_by(owner).chats()
    rows = Message.objects.filter(conversation__in=mine).exclude(response__deleted_at__isnull=False)
    row = rows.filter(uid=parsed.message).first()
    items = items_of(row) if row else iter(())
    return next((item for item in items if item["id"] == name), None)
