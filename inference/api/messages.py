"""A conversation as clients send it, and as chat templates read it."""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from .images import NO_FETCH, Gallery, url_of
from .refusals import ApiError, UnsupportedParameter

Role = Literal["developer", "system", "user", "assistant", "tool", "function"]
TEXT_PARTS = ("text", "input_text", "output_text")
IMAGE_PARTS = ("image_url", "input_image")
# What an assistant may have said instead of content.
INSTEAD = ("tool_calls", "function_call", "reasoning_content", "refusal")


class Part(BaseModel):
    """A piece of a message's content: text, or of a user an image."""

    model_config = ConfigDict(strict=True)

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: Any = None


class Message(BaseModel):
    """Fields that we do not know are the chat template's business."""

    model_config = ConfigDict(strict=True, extra="allow")

    role: Role
    content: str | Annotated[list[Part], Field(fail_fast=True)] | None = None

    def plain(self, where: str, gallery: Gallery) -> dict[str, Any]:
        """The message with its content as one string, in which images are their markers; null
        means absent.

        Raises:
            ApiError: naming what is missing, or neither text nor image, below `where`.
        """
        others = {k: v for k, v in (self.model_extra or {}).items() if v is not None}
        check_sendable(others, where)
        return {**others, "role": self.role, "content": self._text(f"{where}.content", gallery)}

    def _text(self, where: str, gallery: Gallery) -> str | None:
        if isinstance(self.content, list):
            parts = ((part, f"{where}[{i}]") for i, part in enumerate(self.content))
            return gallery.joined([self._piece(*part, gallery) for part in parts])
        said_otherwise = self.role == "assistant" and any(
            map((self.model_extra or {}).get, INSTEAD)
        )
        if self.content is None and not said_otherwise:
            raise ApiError(f"{where}: a message of role {self.role} needs content", param=where)
        return self.content

    def _piece(self, part: Part, where: str, gallery: Gallery) -> str:
        url = url_of(part.image_url)
        if part.type not in IMAGE_PARTS or url is None or self.role != "user":
            return _text(part, where)
        return gallery.add_uri(url, f"{where}.image_url")


def _text(part: Part, where: str) -> str:
    if part.type not in (*TEXT_PARTS, "refusal"):
        param = f"{where}.type"
        why = f" but as a user's data: URI; {NO_FETCH}" * (part.type in IMAGE_PARTS)
        raise UnsupportedParameter(
            f"{param}: {part.type[:100]!r} is not supported{why}", param=param
        )
    key = "refusal" if part.type == "refusal" else "text"
    text: str | None = getattr(part, key)
    if text is None:
        raise ApiError(f"{where}.{key}: it is missing", param=f"{where}.{key}")
    return text


def check_sendable(value: Any, param: str) -> None:
    """Refuse integers of more than 64 bits, which do not fit into a message to the engine.

    Raises:
        ApiError: naming the field.
    """
    try:
        msgspec.msgpack.encode(value)
    except OverflowError:
        raise ApiError(f"{param}: an integer in it is too large", param=param) from None
