"""Names of responses and of their items, made of the rows' own ids.

A response is an answer: `resp_` and its id. Its items are what it thought (`rs_`), its
words (`msg_`, `msg_…_1` for those after a call) and its calls (`fc_…_0`).
"""

import re
from typing import NamedTuple
from uuid import UUID

from chat.models import Conversation, Message

ITEM = re.compile(r"(msg|rs|fc|fco)_([0-9a-f]{32})(?:_(\d{1,6}))?")


class ItemId(NamedTuple):
    kind: str
    message: UUID
    number: int


def response_id(answer: Message) -> str:
    return f"resp_{answer.uid.hex}"


def conversation_id(conversation: Conversation) -> str:
    return f"conv_{conversation.uid.hex}"


def item_id(kind: str, row: Message, number: int = 0) -> str:
    """Of words only those after a call need a number."""
    suffix = f"_{number}" if kind == "fc" or number else ""
    return f"{kind}_{row.uid.hex}{suffix}"


def uid_of(prefix: str, name: str) -> UUID | None:
    """The row's id, if it is such a name."""
    match = re.fullmatch(rf"{prefix}_([0-9a-f]{{32}})", name)
    return UUID(match[1]) if match else None


def parse_item_id(name: str) -> ItemId | None:
    match = ITEM.fullmatch(name)
    return ItemId(match[1], UUID(match[2]), int(match[3] or 0)) if match else None
