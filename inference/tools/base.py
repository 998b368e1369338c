"""What a format of tool calls has to say."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from .call import CallReader, State

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A function as a client describes it; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    @property
    def tool(self) -> dict[str, Any]:
        """As templates read it."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": {**self.parameters},
        }
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Text:
    """Of the answer that is no call."""

    text: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A call, counted from 0; its arguments follow."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class More:
    """A piece of the arguments' JSON."""

    index: int
    arguments: str


Event = Text | Begun | More


class Reader(Protocol):
    """Reads one call while it is written; see `CallReader`."""

    state: State
    name: str | None
    raw: str

    def feed(self, text: str) -> str: ...
    def take_arguments(self) -> str: ...


class ToolFormat:
    """How one family of models writes calls, and reads them in a conversation.

    Attributes:
        opening: what stands before calls; models may leave it out where an answer begins
            with a call.
        closing: what may stand after one.
        separators: characters around and between calls, besides white space.
        arguments: the key that arguments go by in a call's JSON object.
        is_list: whether several calls are a JSON array.
        prefix: what an answer that has to be a call begins with.
        bare: characters that an answer begins with where it begins with a call, opening or not.
        bare_opening: how a call may begin anywhere, without what should stand before it.
        shown: control tokens that are a part of all this.
    """

    opening: ClassVar[str]
    closing: ClassVar[str] = ""
    separators: ClassVar[str] = ""
    arguments: ClassVar[str] = "arguments"
    is_list: ClassVar[bool] = False
    prefix: ClassVar[str] = ""
    bare: ClassVar[str] = "{"
    bare_opening: ClassVar[str] = ""
    shown: ClassVar[tuple[str, ...]] = ()

    def fits(self, template: str) -> bool:
        """Whether that chat template speaks it."""
        raise NotImplementedError

    def messages(self, messages: Sequence[Message], functions: Sequence[Function]) -> list[Message]:
        """The conversation as the template reads it, from the form that clients send."""
        return [_with_objects(message) for message in messages]

    def options(self, functions: Sequence[Function]) -> dict[str, Any]:
        """What the template is told beside the messages."""
        return {"tools": [function.tool for function in functions]} if functions else {}

    def lead(self, forced: Sequence[Function]) -> str:
        """What an answer that has to call one of them begins with."""
        return self.prefix + self.begun(forced)

    def begun(self, forced: Sequence[Function]) -> str:
        """What of that is a part of the call already."""
        return ""

    def starts(self, text: str) -> bool | None:
        """Whether a call begins with that text, which is not empty; None: not known yet."""
        return text.startswith("{")

    def reader(self, text: str, functions: Mapping[str, Function]) -> Reader:
        """For the call that begins with that text."""
        return CallReader(functions)

    def schema(self, functions: Sequence[Function], *, several: bool) -> dict[str, Any]:
        """Of an answer that calls one of them, or several, after the `prefix`."""
        defs = {f"f{n}": _rooted(f.parameters, f"f{n}") for n, f in enumerate(functions)}
        call = {"anyOf": [self._call(f, f"f{n}") for n, f in enumerate(functions)]}
        if not self.is_list:
            return {"$defs": defs, **call}
        length = {"minItems": 1} if several else {"minItems": 1, "maxItems": 1}
        return {"$defs": defs, "type": "array", "items": call, **length}

    def _call(self, function: Function, definition: str) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "name": {"const": function.name},
                self.arguments: {"$ref": f"#/$defs/{definition}"},
            },
            "required": ["name", self.arguments],
            "additionalProperties": False,
        }


def arguments_of(call: Mapping[str, Any]) -> Any:
    """A call's arguments, parsed where that can be done."""
    arguments = _function(call).get("arguments")
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        return json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return arguments


def name_of(call: Mapping[str, Any]) -> str:
    return str(_function(call).get("name"))


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """Histories are the client's, and nobody has looked into their calls."""
    function = call.get("function")
    return function if isinstance(function, Mapping) else {}


def _with_objects(message: Message) -> Message:
    """Templates write arguments as JSON themselves."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    return {**message, "tool_calls": [_with_object(call) for call in calls]}


def _with_object(call: Any) -> Any:
    if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
        return call
    return {**call, "function": {**call["function"], "arguments": arguments_of(call)}}


def _rooted(schema: Any, definition: str) -> Any:
    """The schema as a definition in another one: its references to itself lead there."""
    match schema:
        case dict() | Mapping():
            return {key: _reference(key, value, definition) for key, value in schema.items()}
        case list():
            return [_rooted(item, definition) for item in schema]
    return schema


def _reference(key: str, value: Any, definition: str) -> Any:
    if key == "$ref" and isinstance(value, str) and value.startswith("#"):
        return f"#/$defs/{definition}{value[1:]}"
    return _rooted(value, definition)
