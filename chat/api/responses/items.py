"""Items of a conversation: those that clients send become rows, and rows become items."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from chat.models import Message, Role
from chat.reading import Written
from inference.api.refusals import ApiError, UnsupportedParameter

from .ids import item_id
from .parts import parts_of

ROLES = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
}
TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
BETWEEN_PARTS = "\n"  # as in chat completions


class ItemPart(BaseModel):
    model_config = ConfigDict(strict=True)

    type: str
    text: str | None = None
    refusal: str | None = None


Content = str | Annotated[list[ItemPart], Field(fail_fast=True)]


class Item(BaseModel):
    """Of whatever type; what a type does not need is ignored."""

    model_config = ConfigDict(strict=True)

    type: str | None = None
    role: str | None = None
    content: Content | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: Content | None = None


Find = Callable[[str], dict[str, Any] | None]  # a stored item of that id


def rows_of(items: str | Sequence[Item], find: Find) -> list[Message]:
    """Not stored, and without a conversation: thoughts, words and calls that follow each
    other are one row. Items that are only named are looked for by `find`.

    Raises:
        ApiError: naming what is missing, or cannot be used.
    """
    if isinstance(items, str):
        return [Message(role=Role.USER, text=items)]
    rows: list[Message] = []
    for index, item in enumerate(items):
        _add(rows, _resolved(item, f"input[{index}]", find), f"input[{index}]")
    return rows


def _resolved(item: Item, where: str, find: Find) -> Item:
    if item.type != "item_reference":
        return item
    name = _given(item, "id", where)
    found = find(name)
    if found is None:
        raise ApiError(f"{where}.id: there is no item {name[:100]!r}", param=f"{where}.id")
    return Item.model_validate(found)


def _add(rows: list[Message], item: Item, where: str) -> None:
    match item.type or "message":
        case "message":
            role = _role(item, where)
            text = _text(item.content, f"{where}.content")
            last = _answer(rows) if role == Role.ASSISTANT else Message(role=role)
            if last.text or last.calls:
                last = Message(role=role)
            last.text = text
        case "reasoning":
            last = Message(role=Role.ASSISTANT)
            last.reasoning = _text(item.content or [], f"{where}.content")
        case "function_call":
            last = _answer(rows)
            last.calls = [*last.calls, {**_call(item, where), "at": len(last.text)}]
        case "function_call_output":
            text = _text(item.output, f"{where}.output")
            last = Message(role=Role.TOOL, call_id=_given(item, "call_id", where), text=text)
        case other:
            param = f"{where}.type"
            raise UnsupportedParameter(f"{param}: {other[:100]!r} is not supported", param=param)
    if not (rows and rows[-1] is last):
        rows.append(last)


def _answer(rows: list[Message]) -> Message:
    """The one that goes on."""
    return rows[-1] if rows and rows[-1].role == Role.ASSISTANT else Message(role=Role.ASSISTANT)


def _role(item: Item, where: str) -> Role:
    role = _given(item, "role", where)
    if role in ROLES:
        return ROLES[role]
    param = f"{where}.role"
    raise ApiError(f"{param}: {role[:100]!r} is none of {', '.join(ROLES)}", param=param)


def _call(item: Item, where: str) -> dict[str, Any]:
    names = ("call_id", "name", "arguments")
    id, name, arguments = [_given(item, one, where) for one in names]
    return {"id": id, "name": name, "arguments": arguments}


def _given(item: Item, name: str, where: str) -> str:
    value: str | None = getattr(item, name)
    if not value:
        raise ApiError(f"{where}.{name}: it is missing", param=f"{where}.{name}")
    if name in ("call_id", "name") and len(value) > 100:
        raise ApiError(f"{where}.{name}: it is longer than 100", param=f"{where}.{name}")
    return value


def _text(content: Content | None, where: str) -> str:
    if isinstance(content, str):
        return content
    if content is None:
        raise ApiError(f"{where}: it is missing", param=where)
    texts = [_text_of(part, f"{where}[{index}]") for index, part in enumerate(content)]
    return BETWEEN_PARTS.join(texts)


def _text_of(part: ItemPart, where: str) -> str:
    if part.type not in (*TEXTS, "refusal"):
        param = f"{where}.type"
        raise UnsupportedParameter(f"{param}: {part.type[:100]!r} is not supported", param=param)
    text = part.refusal if part.type == "refusal" else part.text
    if text is None:
        raise ApiError(f"{where}.text: it is missing", param=f"{where}.text")
    return text


# The other way


def items_of(row: Message) -> Iterator[dict[str, Any]]:
    """As `input_items` lists them, in the order in which they were said."""
    if row.role == Role.ASSISTANT:
        yield from (part.item("completed") for part in parts_of(row, Written.of(row)))
    elif row.role == Role.TOOL:
        yield {
            "id": item_id("fco", row),
            "type": "function_call_output",
            "call_id": row.call_id,
            "output": row.text,
            "status": "completed",
        }
    else:
        content = [{"type": "input_text", "text": row.text}]
        head = {"id": item_id("msg", row), "type": "message", "role": row.role}
        yield {**head, "content": content, "status": "completed"}
