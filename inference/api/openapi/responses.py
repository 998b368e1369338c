"""Answers of OpenAI's endpoint for responses."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from .errors import Answer

Status = Literal["queued", "in_progress", "completed", "incomplete", "cancelled", "failed"]


class ResponseItem(BaseModel):
    """A message, a function call, what it returned, or reasoning; the fields are the type's."""

    model_config = ConfigDict(extra="allow")

    type: Literal["message", "function_call", "function_call_output", "reasoning"]
    id: str | None = None


class ResponseFailure(Answer):
    code: str
    message: str


class ResponseInputTokens(Answer):
    cached_tokens: int
    cache_write_tokens: int


class ResponseOutputTokens(Answer):
    reasoning_tokens: int


class ResponseUsage(Answer):
    input_tokens: int
    input_tokens_details: ResponseInputTokens
    output_tokens: int
    output_tokens_details: ResponseOutputTokens
    total_tokens: int


class ResponseConversation(Answer):
    id: str


class ResponseObject(BaseModel):
    """Beside these, it repeats what its request said."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Status
    background: bool
    error: ResponseFailure | None
    incomplete_details: dict[str, str] | None
    model: str
    output: list[ResponseItem]
    previous_response_id: str | None
    conversation: ResponseConversation | None
    store: bool
    usage: ResponseUsage | None


class ResponseEvent(BaseModel):
    """The data of an event, which is named by its type; the other fields are the type's."""

    model_config = ConfigDict(extra="allow")

    type: str
    sequence_number: int
    response: ResponseObject | None = None


class DeletedResponse(Answer):
    id: str
    object: Literal["response"]
    deleted: Literal[True]


class ResponseItems(Answer):
    object: Literal["list"]
    data: list[ResponseItem]
    first_id: str | None
    last_id: str | None
    has_more: bool
