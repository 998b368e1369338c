"""What travels over the chat socket: `docs/websocket.md`."""

from typing import Annotated, Any
from uuid import UUID

import msgspec

from inference.runtime import InvalidParameter

Length = Annotated[int, msgspec.Meta(ge=0)]


class In(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """Base of what clients send. `ref` is theirs, and comes back with the answer."""

    ref: Annotated[str, msgspec.Meta(max_length=100)] = ""


class Send(In, frozen=True, kw_only=True, tag="send"):
    """Say something. Without a conversation, a new one begins.

    It follows `parent`, or without one the conversation's last message. `question` is the id
    that it gets: what has been said is not said twice.
    """

    text: str
    question: UUID | None = None
    conversation: UUID | None = None
    parent: UUID | None = None
    attachments: list[UUID] = []
    model: str | None = None
    system_prompt: str | None = None
    parameters: dict[str, Any] | None = None


class Edit(In, frozen=True, kw_only=True, tag="edit"):
    """Say something in that message's place: another branch."""

    message: UUID
    text: str
    question: UUID | None = None
    attachments: list[UUID] | None = None  # None: the same as before
    model: str | None = None


class Regenerate(In, frozen=True, kw_only=True, tag="regenerate"):
    """Another answer beside that one, or the first to that message."""

    message: UUID
    model: str | None = None


class Continue(In, frozen=True, kw_only=True, tag="continue"):
    """Write on where that answer was cut off."""

    message: UUID


class Stop(In, frozen=True, kw_only=True, tag="stop"):
    message: UUID


class Resume(In, frozen=True, kw_only=True, tag="resume"):
    """Follow a conversation; of its answer `message`, what comes after `seq`."""

    conversation: UUID
    message: UUID | None = None
    seq: Length = 0
    reasoning_seq: Length = 0


class Leave(In, frozen=True, kw_only=True, tag="leave"):
    """Follow that conversation no more."""

    conversation: UUID


Frame = Send | Edit | Regenerate | Continue | Stop | Resume | Leave
_decoder = msgspec.json.Decoder(Frame)


def decode(text: str) -> Frame:
    """
    Raises:
        InvalidParameter: it is no frame of ours; names the field.
    """
    try:
        frame: Frame = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidParameter("frame", text, f"cannot be used: {error}") from None
    return frame
