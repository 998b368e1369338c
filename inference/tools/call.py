"""Reads one call, a JSON object, while it is written."""

import json
from collections.abc import Collection
from enum import Enum, auto

ARGUMENTS = ("arguments", "parameters")


class State(Enum):
    READING = auto()
    COMPLETE = auto()
    BROKEN = auto()  # no call of a known function


class CallReader:
    """Takes the object's text, and knows its name and arguments as soon as they are there.

    Attributes:
        name: once it is known, and one of the `names`.
        raw: all that was taken.
        state: whether there is more of it to come.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self.state = State.READING
        self.name: str | None = None
        self.raw = ""
        self._depth = 0
        self._in_string = self._is_escaped = False
        self._key: str | None = None
        self._value_at: int | None = None  # where the text of the member's key or value begins
        self._arguments = ""
        self._num_taken = 0

    def feed(self, text: str) -> str:
        """Take the text up to the object's end; return the rest."""
        for index, char in enumerate(text):
            self.raw += char
            self._take(char)
            if self.state is not State.READING:
                return text[index + 1 :]
        return ""

    def take_arguments(self) -> str:
        """What of their JSON has come since the last time; nothing while there is no name."""
        if self.name is None:
            return ""
        new, self._num_taken = self._arguments[self._num_taken :], len(self._arguments)
        return new

    def _take(self, char: str) -> None:
        is_inside = self._depth > 1 and self._key in ARGUMENTS
        if self._in_string:
            self._in_string_take(char)
        elif char == '"':
            self._in_string = True
            self._begin()
        elif char in "{[":
            self._open(char)
            is_inside = self._depth > 1 and self._key in ARGUMENTS
        elif char in "}]":
            self._close()
        elif self._depth == 1 and char in ",:":
            self._separate(char)
        elif not char.isspace():
            self._begin()
        if is_inside:
            self._arguments += char

    def _in_string_take(self, char: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif char == "\\":
            self._is_escaped = True
        elif char == '"':
            self._in_string = False

    def _begin(self) -> None:
        if self._depth == 1 and self._value_at is None:
            self._value_at = len(self.raw) - 1

    def _open(self, char: str) -> None:
        if self._depth == 0 and char != "{":
            self.state = State.BROKEN
            return
        self._begin()
        self._depth += 1

    def _close(self) -> None:
        if self._depth == 1:
            self._end_member()
            is_call = self.name is not None and self.state is State.READING
            self.state = State.COMPLETE if is_call else State.BROKEN
            self._arguments = self._arguments or "{}"
        self._depth -= 1

    def _separate(self, char: str) -> None:
        if char == ",":
            self._end_member()
            self._key = None
        elif self._key is None:
            self._key = str(self._token(self.raw[:-1]))
        self._value_at = None

    def _end_member(self) -> None:
        text = self.raw[:-1]
        if self._key == "name" and self.name is None:
            name = self._token(text)
            if isinstance(name, str) and name in self._names:
                self.name = name
            else:
                self.state = State.BROKEN
        elif self._key in ARGUMENTS and not self._arguments:
            value = self._token(text)
            self._arguments = value if isinstance(value, str) else ""  # JSON within JSON

    def _token(self, text: str) -> object:
        try:
            return json.loads(text[self._value_at :]) if self._value_at is not None else None
        except (ValueError, RecursionError):
            return None
