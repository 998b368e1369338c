"""From the bytes of a request to a value that has been checked."""

import reprlib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from rest_framework.parsers import BaseParser

from accounts.callers import Caller
from accounts.policy import NO_POLICY, EffectivePolicy, Limit
from accounts.sizes import body_limit, body_refusal

from .refusals import ApiError, RequestTooLarge

Schema = TypeVar("Schema", bound=BaseModel)
LONGEST_NAME = 100  # characters of a client's own key that an error repeats

# What an error repeats of a bad value, whatever its size and depth.
_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = 100


class JsonBodyParser(BaseParser):
    """Strict JSON (no NaN, valid UTF-8), whatever content type the client claims."""

    media_type = "*/*"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        limit = body_limit(_policy(parser_context))
        return decoded(stream.read(limit.value + 1), limit)


def decoded(raw: bytes, limit: Limit) -> dict[str, Any]:
    """
    Raises:
        ApiError: it is larger than that, or no JSON object.
    """
    if len(raw) > limit.value:
        raise RequestTooLarge(body_refusal(limit))
    try:
        data = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(f"The request is not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise ApiError("The request has to be a JSON object.")
    return data


def _policy(context: Mapping[str, Any] | None) -> EffectivePolicy:
    user = context["request"].user if context else None
    return user.policy if isinstance(user, Caller) else NO_POLICY


def checked(schema: type[Schema], data: Any) -> Schema:
    """The data as that schema; null means absent, as OpenAI's clients send it.

    Raises:
        ApiError: naming the first field at fault, and its value.
    """
    try:
        return schema.model_validate({k: v for k, v in data.items() if v is not None})
    except ValidationError as error:
        worst = _worst(error.errors(include_url=False, include_context=False))
    param = _path(worst, data)
    is_missing = worst["type"] == "missing"
    what = "" if is_missing else f" (it is {_shown.repr(worst['input'])})"
    raise ApiError(f"{param}: {worst['msg']}{what}", param=param)


def _worst(errors: list[ErrorDetails]) -> ErrorDetails:
    """Of the first field's, which may be a union, the one that was found farthest in."""
    first, *_ = errors[0]["loc"]
    of_first = [error for error in errors if error["loc"][0] == first]
    return max(of_first, key=lambda error: (len(error["loc"]), _indices(error)))


def _indices(error: ErrorDetails) -> list[int]:
    return [step for step in error["loc"] if isinstance(step, int)]


def _path(error: ErrorDetails, data: Any) -> str:
    """`messages[0].content`: what pydantic puts in for its unions is left out."""
    path, missing = "", error["loc"][-1] if error["type"] == "missing" else None
    for step in error["loc"]:
        if data is error["input"] and step != missing:
            break
        if isinstance(step, int):
            path += f"[{step}]"
        elif isinstance(data, dict) and (step in data or step == missing):
            path += f".{step[:LONGEST_NAME]}" if path else step
        else:
            continue
        data = _inside(data, step)
    return path


def _inside(data: Any, step: int | str) -> Any:
    try:
        return data[step]
    except (KeyError, IndexError, TypeError):
        return None
