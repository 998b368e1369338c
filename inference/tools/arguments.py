"""Reads one call, its name and then its arguments as a JSON object, while it is written."""

from collections.abc import Collection

from .call import State

ARGS, CALL_ID = "[ARGS]", "[CALL_ID]"


class ArgumentsReader:
    """`name[ARGS]{…}`, or `name[CALL_ID]id[ARGS]{…}`; otherwise like `CallReader`."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self.state = State.READING
        self.name: str | None = None
        self.raw = ""
        self._head = ""  # before the arguments
        self._depth = 0
        self._in_string = self._is_escaped = False
        self._waiting = ""

    def feed(self, text: str) -> str:
        """Take the text up to the object's end; return the rest."""
        for index, char in enumerate(text):
            self.raw += char
            if self.name is None:
                self._take_head(char)
            else:
                self._take_argument(char)
            if self.state is not State.READING:
                return text[index + 1 :]
        return ""

    def take_arguments(self) -> str:
        """What of their JSON has come since the last time."""
        new, self._waiting = self._waiting, ""
        return new

    def _take_head(self, char: str) -> None:
        self._head += char
        name, marker, _ = self._head.partition("[")
        name = name.strip()
        if not self._may_be(name, is_whole=bool(marker)):
            self.state = State.BROKEN
            return
        _, args, rest = self._head.partition(ARGS)
        if not args or not rest.strip():
            return
        if rest.strip() != "{":
            self.state = State.BROKEN
            return
        self.name = name
        self._take_argument("{")

    def _may_be(self, name: str, *, is_whole: bool) -> bool:
        if not is_whole:
            return any(known.startswith(name) for known in self._names)
        after = self._head[self._head.index("[") :]
        markers = (ARGS, CALL_ID)
        return name in self._names and any(
            after.startswith(marker) or marker.startswith(after) for marker in markers
        )

    def _take_argument(self, char: str) -> None:
        self._waiting += char
        if self._in_string:
            self._in_string = self._is_escaped or char != '"'
            self._is_escaped = char == "\\" and not self._is_escaped
        elif char == '"':
            self._in_string = True
        else:
            self._depth += (char in "{[") - (char in "}]")
            if not self._depth:
                self.state = State.COMPLETE
