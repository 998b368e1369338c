"""Our own format, `{"format": "llmsite-conversations", "version": 2}`: all that pages show.

What programs alone have asked for, logprobs and fields of requests, is not in it. Version 1
has each copy of an attachment in full. It is read strictly: whoever has changed such a file
by hand hears what does not fit.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import count
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from . import values
from .base import MAX_TEXT, MAX_TITLE, Draft, DraftFile, DraftMessage, Format, Leavings
from .errors import BadFile
from .words import say as _

NAME, VERSION, KNOWN = "llmsite-conversations", 2, (1, 2)

Key = Annotated[str, Meta(min_length=1, max_length=100)]
Name = Annotated[str, Meta(max_length=200)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Count = Annotated[int, Meta(ge=0, lt=2**31)] | None
Seconds = Annotated[float, Meta(ge=0)] | None
When = Annotated[datetime, Meta(tz=True)]
# Which there are, and what they may be, is known where models are (`importing`).
Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | float | bool | None
Parameters = Annotated[dict[Name, Number | Text | list[Text]], Meta(max_length=50)]


class OwnFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An attachment; `copy_of`: it has the text of that one of the conversation, from 0."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    media_type: Annotated[str, Meta(max_length=100)]
    size_bytes: Annotated[int, Meta(ge=0, lt=2**31)]
    text: Text
    num_tokens: Count = None
    copy_of: Count = None


class OwnCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A function that an answer calls; `at`: after so many characters of its text."""

    id: Annotated[str, Meta(max_length=100)]
    name: Name
    arguments: Text
    at: Annotated[int, Meta(ge=0, le=MAX_TEXT)] = 0


class OwnMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    uid: Key
    parent: Key | None
    role: Literal["system", "user", "assistant", "tool"]
    text: Text
    created_at: When
    reasoning: Text = ""
    model: Name = ""
    status: Literal["complete", "stopped", "interrupted", "failed"] = "complete"
    finish_reason: Annotated[str, Meta(max_length=20)] = ""
    error_code: Annotated[str, Meta(max_length=50)] = ""
    error: Text = ""
    prompt_tokens: Count = None
    cached_tokens: Count = None
    completion_tokens: Count = None
    first_token_seconds: Seconds = None
    decode_seconds: Seconds = None
    context_length: Count = None
    unseen: list[Key] = []
    call_id: Annotated[str, Meta(max_length=100)] = ""
    calls: list[OwnCall] = []
    attachments: list[OwnFile] = []


class OwnConversation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    created_at: When
    updated_at: When
    messages: list[OwnMessage]
    title: Annotated[str, Meta(max_length=MAX_TITLE)] = ""
    is_title_given: bool = False
    model: Name = ""
    system_prompt: Text = ""
    parameters: Parameters = {}
    folder: Annotated[str, Meta(max_length=100)] = ""
    is_pinned: bool = False
    archived_at: When | None = None
    head: Key | None = None


class Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["llmsite-conversations"]
    version: Literal[1, 2]
    conversations: list[OwnConversation]
    exported_at: When | None = None


OF_FILE = ("name", "media_type", "size_bytes", "text", "num_tokens")
OF_MESSAGE = (
    *("call_id", "calls"),
    *("reasoning", "model", "status", "finish_reason", "error_code", "error"),
    *("prompt_tokens", "cached_tokens", "completion_tokens"),
    *("first_token_seconds", "decode_seconds", "context_length", "unseen"),
)
OF_CONVERSATION = (
    *("is_title_given", "model", "system_prompt", "parameters", "is_pinned", "archived_at"),
)


class OwnFormat(Format):
    label = _("llmsite export")

    def recognizes(self, data: Any) -> bool:
        return values.mapping(data).get("format") == NAME

    def read(self, data: Any, left: Leavings) -> list[Draft]:
        if data.get("version") not in KNOWN:
            raise BadFile(f"version: {data.get('version')!r} is not 1 or 2, which are known here.")
        try:
            file = msgspec.convert(data, Own)
        except (msgspec.ValidationError, RecursionError) as error:
            raise BadFile(str(error).replace("`$", "`")) from None
        return [_draft(one, f"conversations[{n}]") for n, one in enumerate(file.conversations)]


def _draft(raw: OwnConversation, place: str) -> Draft:
    _check_links(raw, place)
    _check_copies(raw, place)
    numbers = count()
    return Draft(
        title=raw.title,
        messages=[_message(one, numbers) for one in raw.messages],
        head=raw.head,
        created_at=raw.created_at,
        updated_at=raw.updated_at,
        folder=raw.folder,
        columns={name: getattr(raw, name) for name in OF_CONVERSATION},
    )


def _message(raw: OwnMessage, numbers: Iterator[int]) -> DraftMessage:
    return DraftMessage(
        key=raw.uid,
        parent=raw.parent,
        role=raw.role,
        text=raw.text,
        created_at=raw.created_at,
        columns={name: msgspec.to_builtins(getattr(raw, name)) for name in OF_MESSAGE},
        files=[
            DraftFile({name: getattr(file, name) for name in OF_FILE}, next(numbers), file.copy_of)
            for file in raw.attachments
        ],
    )


def _check_links(raw: OwnConversation, place: str) -> None:
    """Every message follows one before it: so there is no circle, and none is missing."""
    seen: set[str] = set()
    for number, message in enumerate(raw.messages):
        where = f"{place}.messages[{number}]"
        if message.uid in seen:
            raise BadFile(f"{where}.uid: {message.uid!r} is there twice.")
        if message.parent is not None and message.parent not in seen:
            raise BadFile(f"{where}.parent: {message.parent!r} is no message before this one.")
        seen.add(message.uid)
    if raw.head is not None and raw.head not in seen:
        raise BadFile(f"{place}.head: {raw.head!r} is no message of the conversation.")


def _check_copies(raw: OwnConversation, place: str) -> None:
    """Of an attachment before it that is no copy itself."""
    numbers, whole = count(), set[int]()
    for number, message in enumerate(raw.messages):
        for index, file in enumerate(message.attachments):
            if file.copy_of is None:
                whole.add(next(numbers))
            elif file.copy_of in whole:
                next(numbers)
            else:
                where = f"{place}.messages[{number}].attachments[{index}].copy_of"
                raise BadFile(f"{where}: {file.copy_of} is no whole attachment before this one.")
