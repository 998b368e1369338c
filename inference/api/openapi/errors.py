"""Refusals, in the shapes that the dialects have for them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """What is said of an answer is all that there is."""

    model_config = ConfigDict(extra="forbid")


class ErrorDetails(Answer):
    message: str
    type: str
    param: str | None
    code: str | None


class Error(Answer):
    error: ErrorDetails


class AnthropicErrorDetails(Answer):
    type: str
    message: str


class AnthropicError(Answer):
    type: Literal["error"]
    error: AnthropicErrorDetails


class OlderError(Answer):
    error: str


MEANINGS = {
    400: "The request is at fault; the message names the field and its value",
    401: "No key, or one that is wrong, expired or revoked",
    403: "The key may not do this",
    404: "There is nothing of that name, or not for this key",
    409: "It contradicts what is there, or what is under way",
    413: "The request is too large",
    429: "Too many requests or tokens; Retry-After says when to come again",
    500: "A fault of the service",
    503: "Not now; Retry-After says when to come again",
}
