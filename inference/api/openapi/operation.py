"""What a view's method takes and answers, as the schema says it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

Method = TypeVar("Method", bound=Callable[..., Any])
Model = type[BaseModel]

MODEL = "smollm2-135m-instruct"
HELLO: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Say hello."}],
}
STORY: dict[str, Any] = {"model": MODEL, "prompt": "Once upon a time"}

JSON = "application/json"
EVENTS = "text/event-stream"
TEXT = "text/plain"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        body: the request's; of several, whichever fits.
        example: such a body.
        answer: a model, a schema as it is, or None for an answer without a body.
        events: likewise, of each event's data, where the answer can be a stream.
        status: of the answer.
        query: parameters, and their schemas.
        errors: statuses beyond those that every such view has.
        is_idempotent: takes an Idempotency-Key; known by itself of methods that are wrapped so.
    """

    summary: str
    body: Model | tuple[Model, ...] | None = None
    example: dict[str, Any] | None = None
    answer: Model | dict[str, Any] | None = None
    events: Model | dict[str, Any] | None = None
    status: int = 200
    media_type: str = JSON
    query: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: tuple[int, ...] = ()
    is_idempotent: bool = False


def operation(summary: str, **fields: Any) -> Callable[[Method], Method]:
    """For a view's `get`, `post`, …: see `Operation` for the fields."""

    def mark(method: Method) -> Method:
        method.operation = Operation(summary, **fields)  # type: ignore[attr-defined]
        return method

    return mark
