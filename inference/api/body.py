"""From the bytes of a request to a value that has been checked."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from django.conf import settings
from pydantic import BaseModel, ValidationError
from rest_framework.parsers import BaseParser

from .refusals import ApiError, RequestTooLarge

Schema = TypeVar("Schema", bound=BaseModel)
LONGEST_VALUE = 100  # characters of a bad value that an error repeats


class JsonBodyParser(BaseParser):
    """Strict JSON (no NaN, valid UTF-8), whatever content type the client claims."""

    media_type = "*/*"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        limit = int(settings.CONFIG.limits.max_body_mb * 2**20)
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise RequestTooLarge(f"The request is larger than {limit} bytes.")
        try:
            data = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(f"The request is not valid JSON: {error}") from None
        if not isinstance(data, dict):
            raise ApiError("The request has to be a JSON object.")
        return data


def checked(schema: type[Schema], data: Any) -> Schema:
    """The data as that schema; null means absent, as OpenAI's clients send it.

    Raises:
        ApiError: naming the first field at fault, and its value.
    """
    try:
        return schema.model_validate({k: v for k, v in data.items() if v is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
    param = _path(first["loc"], data)
    shown = repr(first["input"])
    if len(shown) > LONGEST_VALUE:
        shown = f"{shown[:LONGEST_VALUE]}…"
    what = "" if first["type"] == "missing" else f" (it is {shown})"
    raise ApiError(f"{param}: {first['msg']}{what}", param=param)


def _path(loc: tuple[int | str, ...], data: Any) -> str:
    """`messages[0].content`: what pydantic puts in for its unions is left out."""
    path = ""
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        elif isinstance(data, dict) and (step in data or step == loc[-1]):
            path += f".{step}" if path else step
        else:
            continue
        data = _inside(data, step)
    return path


def _inside(data: Any, step: int | str) -> Any:
    try:
        return data[step]
    except (KeyError, IndexError, TypeError):
        return None
