"""Answers of Anthropic's endpoints."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from .errors import Answer

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use"]


class AnthropicText(Answer):
    type: Literal["text"]
    text: str


class AnthropicThinking(Answer):
    type: Literal["thinking"]
    thinking: str
    signature: str


class AnthropicToolUse(Answer):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]


class AnthropicUsage(Answer):
    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int


class AnthropicMessage(Answer):
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[AnthropicText | AnthropicThinking | AnthropicToolUse]
    stop_reason: StopReason | None
    stop_sequence: str | None
    usage: AnthropicUsage


class AnthropicEvent(BaseModel):
    """The data of an event, which is named by its type; the other fields are the type's."""

    model_config = ConfigDict(extra="allow")

    type: Literal[
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "error",
    ]
    message: AnthropicMessage | None = None
    index: int | None = None
    delta: dict[str, Any] | None = None


class AnthropicTokens(Answer):
    input_tokens: int
