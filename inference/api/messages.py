"""A conversation as clients send it, and as chat templates read it."""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from .refusals import ApiError, UnsupportedParameter

Role = Literal["developer", "system", "user", "assistant", "tool", "function"]
TEXT_PARTS = ("text", "input_text", "output_text")
# What an assistant may have said instead of content.
INSTEAD = ("tool_calls", "function_call", "reasoning_content", "refusal")


class Part(BaseModel):
    """A piece of a message's content; only text is understood."""

    model_config = ConfigDict(strict=True)

    type: str
    text: str | None = None
    refusal: str | None = None


class Message(BaseModel):
    """Fields that we do not know are the chat template's business."""

    model_config = ConfigDict(strict=True, extra="allow")

    role: Role
    content: str | Annotated[list[Part], Field(fail_fast=True)] | None = None

    def plain(self, where: str) -> dict[str, Any]:
        """The message with its content as one string; null means absent.

        Raises:
            ApiError: naming what is missing, or not text, below `where`.
        """
        others = {k: v for k, v in (self.model_extra or {}).items() if v is not None}
        check_sendable(others, where)
        return {**others, "role": self.role, "content": self._text(f"{where}.content")}

    def _text(self, where: str) -> str | None:
        if isinstance(self.content, list):
            parts = (_text(part, f"{where}[{i}]") for i, part in enumerate(self.content))
            return "\n".join(parts)  # as llama-server and vLLM do
        said_otherwise = self.role == "assistant" and any(
            map((self.model_extra or {}).get, INSTEAD)
        )
        if self.content is None and not said_otherwise:
            raise ApiError(f"{where}: a message of role {self.role} needs content", param=where)
        return self.content


def _text(part: Part, where: str) -> str:
    if part.type not in (*TEXT_PARTS, "refusal"):
        param = f"{where}.type"
        raise UnsupportedParameter(
            f"{param}: {part.type[:100]!r} is not supported yet", param=param
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
