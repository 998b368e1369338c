"""Reads one call as Qwen3-Coder writes it, in tags, and makes JSON of its arguments.

`<function=name><parameter=key>value</parameter>…</function>`, a line each.
"""

import json
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from .base import Function
from .call import State

FUNCTION, END = "<function=", "</function>"
PARAMETER, PARAMETER_END = "<parameter=", "</parameter>"
CALL_END = "</tool_call>"  # where models forget the end of the function
PYTHON = {"True": True, "False": False, "None": None}


class _Place(Enum):
    HEAD = auto()
    BETWEEN = auto()  # parameters
    TEXT = auto()  # of a string
    VALUE = auto()  # of anything else


class XmlReader:
    """Otherwise like `CallReader`. What the function's schema calls a string is one, as it
    stands; other values are JSON, and strings where they are not.
    """

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = functions
        self.state = State.READING
        self.name: str | None = None
        self.raw = ""
        self._place = _Place.HEAD
        self._held = ""
        self._arguments = ""
        self._num_parameters = 0
        self._is_first = True  # piece of a value

    def feed(self, text: str) -> str:
        """Take the text up to the call's end; return the rest."""
        self.raw += text
        self._held += text
        step = {
            _Place.HEAD: self._head,
            _Place.BETWEEN: self._between,
            _Place.TEXT: self._text,
            _Place.VALUE: self._value,
        }
        while self.state is State.READING and step[self._place]():
            pass
        if self.state is State.READING:
            return ""
        if self.state is State.BROKEN:  # what stands behind the tag may be a call
            self._held = self.raw[len(FUNCTION) :]
        rest, self._held = self._held, ""
        self.raw = self.raw[: len(self.raw) - len(rest)]
        return rest

    def take_arguments(self) -> str:
        """What of their JSON is ready and has not been taken."""
        new, self._arguments = self._arguments, ""
        return new

    # Each returns whether there may be more to do with what is held.

    def _head(self) -> bool:
        head, end, rest = self._held.partition(">")
        name = head.removeprefix(FUNCTION).strip()
        if not (FUNCTION.startswith(head) or head.startswith(FUNCTION)):
            self.state = State.BROKEN
        elif end and name in self._functions:
            self.name, self._held, self._place = name, rest, _Place.BETWEEN
            self._arguments = "{"
            return True
        elif end or not any(known.startswith(name) for known in self._functions):
            self.state = State.BROKEN
        return False

    def _between(self) -> bool:
        """Between tags there is nothing that counts."""
        found = [(i, tag) for tag in (PARAMETER, END, CALL_END) if (i := self._held.find(tag)) >= 0]
        if not found:
            return False
        index, tag = min(found)
        if tag != PARAMETER:
            self._held = self._held[index + (len(END) if tag == END else 0) :]
            self._arguments += "}"
            self.state = State.COMPLETE
            return False
        key, end, rest = self._held[index + len(PARAMETER) :].partition(">")
        if end:
            self._begin(key.strip())
            self._held = rest
        return bool(end)

    def _begin(self, key: str) -> None:
        comma = ", " if self._num_parameters else ""
        self._num_parameters += 1
        self._arguments += f"{comma}{_json(key)}: "
        is_string = _type_of(self._functions[self.name or ""], key) == "string"
        self._arguments += '"' if is_string else ""
        self._place, self._is_first = _Place.TEXT if is_string else _Place.VALUE, True

    def _text(self) -> bool:
        """As it comes, but for the line ends next to the tags."""
        if not self._held:
            return False
        if self._is_first:
            self._held, self._is_first = self._held.removeprefix("\n"), False
        text, end, rest = self._held.partition(PARAMETER_END)
        size = 0 if end else _held_back(text)
        said, kept = text[: len(text) - size], text[len(text) - size :]
        self._arguments += _json(said.removesuffix("\n") if end else said)[1:-1]
        self._held = rest if end else kept
        if end:
            self._arguments += '"'
            self._place = _Place.BETWEEN
        return bool(end)

    def _value(self) -> bool:
        text, end, rest = self._held.partition(PARAMETER_END)
        if end:
            self._arguments += _json(_read(text.strip()))
            self._held, self._place = rest, _Place.BETWEEN
        return bool(end)


def _held_back(text: str) -> int:
    """Characters at the end that may be the tag, or the line end before it."""
    tag = f"\n{PARAMETER_END}"
    return next(
        (
            n
            for n in range(min(len(tag), len(text)), 0, -1)
            if text.endswith((tag[:n], tag[1 : n + 1]))
        ),
        0,
    )


def _type_of(function: Function, key: str) -> Any:
    properties = function.parameters.get("properties")
    schema = properties.get(key) if isinstance(properties, Mapping) else None
    return schema.get("type") if isinstance(schema, Mapping) else None


def _read(text: str) -> Any:
    if text in PYTHON:
        return PYTHON[text]
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
