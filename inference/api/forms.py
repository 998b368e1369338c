"""The form that a client wants its answer to have, in the words of several servers."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.runtime import Grammar

from .refusals import ApiError, refusing_depth

ANY_OBJECT = {"type": "object"}

Schema = dict[str, Any] | bool


class NamedSchema(BaseModel):
    """OpenAI's; `strict` or not, the answer is held to it."""

    model_config = ConfigDict(strict=True)

    name: str | None = None
    schema_: Annotated[Schema, Field(alias="schema")] = ANY_OBJECT


class ResponseFormat(BaseModel):
    """OpenAI's; a `schema` beside `json_object` is llama-server's."""

    model_config = ConfigDict(strict=True)

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None
    schema_: Annotated[Schema, Field(alias="schema")] = ANY_OBJECT


class StructuredOutputs(BaseModel):
    """vLLM's; one of them."""

    model_config = ConfigDict(strict=True)

    json_: Annotated[Schema | str | None, Field(alias="json")] = None
    regex: str | None = None
    choice: Annotated[list[str], Field(min_length=1, fail_fast=True)] | None = None
    grammar: str | None = None


class FormFields(BaseModel):
    """The fields that say it; one of them may."""

    response_format: ResponseFormat | None = None
    json_schema: Schema | str | None = None  # llama-server's, as is `grammar`
    grammar: str | None = None
    guided_regex: str | None = None  # vLLM's, as is the next
    structured_outputs: StructuredOutputs | None = None

    def form(self) -> Grammar | None:
        """
        Raises:
            ApiError: several are given, or one is half given.
            InvalidParameter: it is too long.
        """
        given = [
            *_of_response_format(self.response_format),
            *_of_schema(self.json_schema, "json_schema"),
            *_of_text("grammar", self.grammar, "grammar"),
            *_of_text("regex", self.guided_regex, "guided_regex"),
            *_of_structured_outputs(self.structured_outputs),
        ]
        if len(given) > 1:
            first, second, *_ = [grammar.param for grammar in given]
            raise ApiError(f"{second}: the answer has its form from {first} already", param=second)
        return given[0] if given else None


def schema_grammar(schema: Schema | str, param: str) -> Grammar:
    """
    Raises:
        ApiError: it cannot be written as JSON.
        InvalidParameter: it is too long.
    """
    if isinstance(schema, str):
        return Grammar("json_schema", schema, param)
    with refusing_depth(param):
        return Grammar("json_schema", json.dumps(schema), param)


def _of_response_format(given: ResponseFormat | None) -> list[Grammar]:
    match given:
        case None | ResponseFormat(type="text"):
            return []
        case ResponseFormat(type="json_object", schema_=schema):
            return [schema_grammar(schema, "response_format")]
        case ResponseFormat(json_schema=NamedSchema(schema_=schema)):
            return [schema_grammar(schema, "response_format")]
    param = "response_format.json_schema"
    raise ApiError(f"{param}: it is missing", param=param)


def _of_schema(given: Schema | str | None, param: str) -> list[Grammar]:
    return [] if given is None else [schema_grammar(given, param)]


def _of_text(kind: Literal["grammar", "regex"], given: str | None, param: str) -> list[Grammar]:
    """An empty one is none, as clients with a field for it send it."""
    return [Grammar(kind, given, param)] if given else []


def _of_structured_outputs(given: StructuredOutputs | None) -> list[Grammar]:
    if given is None:
        return []
    name = "structured_outputs"
    choices = [] if given.choice is None else [_one_of(given.choice, f"{name}.choice")]
    return [
        *_of_schema(given.json_, f"{name}.json"),
        *_of_text("regex", given.regex, f"{name}.regex"),
        *choices,
        *_of_text("grammar", given.grammar, f"{name}.grammar"),
    ]


def _one_of(texts: list[str], param: str) -> Grammar:
    """One of the texts, as it is."""
    return Grammar("lark", "start: " + " | ".join(map(json.dumps, texts)), param)
