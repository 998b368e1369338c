"""A conversation as Anthropic's clients send it, and as the other dialect has it."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.api.images import NO_FETCH, Gallery
from inference.api.messages import check_sendable
from inference.api.refusals import ApiError, UnsupportedParameter
from inference.api.schemas import FIRST_FAULT

BETWEEN_BLOCKS = "\n"
BETWEEN_MESSAGES = "\n\n"  # of one role, which are one turn

Turn = dict[str, Any]


class Block(BaseModel):
    """A piece of content: text, an image, thoughts, a call or what came of one."""

    model_config = ConfigDict(strict=True)

    type: str
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    content: "Content | None" = None
    is_error: bool | None = None
    source: Any = None

    def given(self, field: str, where: str) -> Any:
        """
        Raises:
            ApiError: the block has no such field.
        """
        value = getattr(self, field)
        if value is None:
            raise ApiError(f"{where}.{field}: it is missing", param=f"{where}.{field}")
        return value


Content = str | Annotated[list[Block], FIRST_FAULT]


class Message(BaseModel):
    model_config = ConfigDict(strict=True)

    role: Literal["user", "assistant"]
    content: Content


Messages = Annotated[list[Message], Field(min_length=1, fail_fast=True)]


def turns_of(messages: list[Message], gallery: Gallery) -> list[Turn]:
    """As OpenAI's clients would send them: results of tools are messages of their own, and
    images are their markers.

    Raises:
        ApiError: naming what is empty, missing, or none of ours.
    """
    turns: list[Turn] = []
    calls: dict[str, str] = {}  # the names of functions, by the ids of their calls
    for index, message in enumerate(messages):
        for turn in _turns(message, f"messages[{index}].content", calls, gallery):
            if turns and turns[-1]["role"] == turn["role"] != "tool":
                turns[-1] = _joined(turns[-1], turn)
            else:
                turns.append(turn)
    return turns


def text_of(content: Content, where: str) -> str:
    """
    Raises:
        ApiError: naming a block that is no text.
    """
    if isinstance(content, str):
        return content
    texts = (_text(block, f"{where}[{index}]") for index, block in enumerate(content))
    return BETWEEN_BLOCKS.join([text for text in texts if text is not None])


def _turns(message: Message, where: str, calls: dict[str, str], gallery: Gallery) -> Iterator[Turn]:
    if isinstance(message.content, str):
        blocks = [Block(type="text", text=message.content)]
    else:
        blocks = message.content
    if message.role == "assistant":
        made = [*_of_assistant(blocks, where, calls)]
    else:
        made = [*_of_user(blocks, where, calls, gallery)]
    if not made:
        raise ApiError(f"{where}: it has no text", param=where)
    yield from made


def _of_assistant(blocks: list[Block], where: str, calls: dict[str, str]) -> Iterator[Turn]:
    texts: list[str] = []
    made: list[Turn] = []
    for index, block in enumerate(blocks):
        place = f"{where}[{index}]"
        if block.type == "tool_use":
            made.append(_call(block, place))
            calls[block.given("id", place)] = block.given("name", place)
        elif text := _text(block, place):
            texts.append(text)
    thoughts = BETWEEN_BLOCKS.join(block.thinking for block in blocks if block.thinking)
    if texts or made:
        turn: Turn = {"role": "assistant", "content": BETWEEN_BLOCKS.join(texts) or None}
        turn |= {"reasoning_content": thoughts} if thoughts else {}
        yield turn | ({"tool_calls": made} if made else {})


def _of_user(
    blocks: list[Block], where: str, calls: dict[str, str], gallery: Gallery
) -> Iterator[Turn]:
    """What the user says between two results is a turn of its own."""
    texts: list[str] = []
    for index, block in enumerate(blocks):
        place = f"{where}[{index}]"
        if block.type != "tool_result":
            texts += filter(None, [_image(block, place, gallery) or _text(block, place)])
            continue
        if texts:
            yield {"role": "user", "content": gallery.joined(texts, BETWEEN_BLOCKS)}
            texts = []
        yield _result(block, place, calls)
    if texts:
        yield {"role": "user", "content": gallery.joined(texts, BETWEEN_BLOCKS)}


def _image(block: Block, where: str, gallery: Gallery) -> str | None:
    """The marker of an image whose bytes are there; None for all else."""
    source = block.source if isinstance(block.source, dict) else {}
    if block.type != "image" or not source:
        return None
    param = f"{where}.source"
    if source.get("type") == "url":
        raise UnsupportedParameter(f"{param}: {NO_FETCH}; send base64", param=param)
    data, kind = source.get("data"), source.get("media_type")
    if source.get("type") != "base64" or not isinstance(data, str) or not isinstance(kind, str):
        why = f"{param}: it has to have type 'base64', media_type and data"
        raise ApiError(why, param=param)
    return gallery.add_base64(data, kind, param)


def _call(block: Block, where: str) -> Turn:
    arguments = block.given("input", where)
    check_sendable(arguments, f"{where}.input")
    function = {"name": block.given("name", where), "arguments": json.dumps(arguments)}
    return {"id": block.given("id", where), "type": "function", "function": function}


def _result(block: Block, where: str, calls: dict[str, str]) -> Turn:
    id = block.given("tool_use_id", where)
    if id not in calls:
        param = f"{where}.tool_use_id"
        raise ApiError(f"{param}: there is no tool_use {id[:100]!r} before it", param=param)
    text = text_of(block.content or "", f"{where}.content")
    text = f"Error: {text}" if block.is_error else text
    return {"role": "tool", "tool_call_id": id, "name": calls[id], "content": text}


def _text(block: Block, where: str) -> str | None:
    """None for what has been thought."""
    match block.type:
        case "text":
            return str(block.given("text", where))
        case "thinking" | "redacted_thinking":
            return None
    param = f"{where}.type"
    raise UnsupportedParameter(f"{param}: {block.type[:100]!r} is not supported here", param=param)


def _joined(one: Turn, other: Turn) -> Turn:
    """Two turns of one role."""
    texts = [turn["content"] for turn in (one, other) if turn["content"]]
    calls = [*one.get("tool_calls", ()), *other.get("tool_calls", ())]
    joined = {**one, **other, "content": BETWEEN_MESSAGES.join(texts) or None}
    return joined | ({"tool_calls": calls} if calls else {})
