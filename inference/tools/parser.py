"""Finds the calls in an answer while it is written."""

from collections.abc import Sequence
from enum import Enum, auto

from .base import Begun, Event, Function, More, Reader, Text, ToolFormat
from .call import CallReader, State


class _Place(Enum):
    START = auto()  # nothing but white space has come
    TEXT = auto()
    CALLS = auto()  # before a call, between two, or after the last
    CALL = auto()


class CallParser:
    """Makes the same of an answer wherever its pieces are cut.

    What looks like a call and is none, of a known function, is text. One of those that are
    `forced` has to be called: the format's lead has been written. Without `has_several` only
    the first call counts; others are dropped.

    Attributes:
        num_calls: those that have begun.
        is_complete: there are calls, and all of them have ended.
    """

    def __init__(
        self,
        format: ToolFormat,
        functions: Sequence[Function],
        *,
        forced: Sequence[Function] = (),
        has_several: bool = True,
    ) -> None:
        self._format = format
        self._functions = {function.name: function for function in functions}
        self._has_several = has_several
        self._place = _Place.CALLS if forced else _Place.START
        self._held = format.begun(forced) if forced else ""  # not looked at to its end
        self._space = ""  # ends the text so far; dropped before a call
        self._section = ""  # since the text, while no call has followed
        self._call: Reader = CallReader(self._functions)
        self._has_begun = False  # the call under way has a name
        self._has_called = False  # in this section
        self._events: list[Event] = []
        self.num_calls = 0

    @property
    def is_complete(self) -> bool:
        return self.num_calls > 0 and not self._has_begun

    def feed(self, text: str) -> list[Event]:
        self._held += text
        step = {
            _Place.START: self._start,
            _Place.TEXT: self._text,
            _Place.CALLS: self._between,
            _Place.CALL: self._read,
        }
        while self._held and step[self._place]():
            pass
        return self._taken()

    def finish(self) -> list[Event]:
        """The answer has ended: what was held back."""
        if self._place is _Place.CALL and not self._has_begun:
            self._say(self._section + self._call.raw)
        elif self._place is not _Place.CALL and not self._has_called:
            self._say(self._section + self._held)
        if self._space and not self.num_calls:
            self._events.append(Text(self._space))
        self._held = self._section = self._space = ""
        return self._taken()

    # Each returns whether there may be more to do with what is held.

    def _start(self) -> bool:
        stripped = self._held.lstrip()
        if not stripped:
            return False
        is_bare = stripped[0] in self._format.bare
        self._place = _Place.CALLS if is_bare else _Place.TEXT
        opening = self._format.opening
        if is_bare and opening.startswith(stripped[: len(opening)]):
            self._place = _Place.TEXT if stripped.startswith(opening) else _Place.START
        return self._place is not _Place.START

    def _text(self) -> bool:
        openings = [tag for tag in (self._format.opening, self._format.bare_opening) if tag]
        found = [(at, tag) for tag in openings if (at := self._held.find(tag)) >= 0]
        if found:
            at, opening = min(found)
            self._say(self._held[:at])
            is_part = opening == self._format.bare_opening
            self._section = "" if is_part else opening
            self._held = self._held[at + len(self._section) :]
            self._place = _Place.CALLS
            return True
        size = max(_overlap(self._held, opening) for opening in openings)
        end = len(self._held) - size
        self._say(self._held[:end])
        self._held = self._held[end:]
        return False

    def _between(self) -> bool:
        skipped = self._held[: -len(rest)] if (rest := self._after_separators()) else self._held
        self._section += skipped
        self._held = rest
        closing = self._format.closing
        starts = self._format.starts(rest) if rest else None
        if starts:
            self._call = self._format.reader(rest, self._functions)
            self._place = _Place.CALL
            return True
        if starts is None or (closing and len(rest) < len(closing) and closing.startswith(rest)):
            return False
        if closing and rest.startswith(closing):
            self._section, self._held = self._section + closing, rest[len(closing) :]
        self._leave()
        return True

    def _after_separators(self) -> str:
        skip = self._format.separators
        index = next(
            (i for i, c in enumerate(self._held) if not (c.isspace() or c in skip)), len(self._held)
        )
        return self._held[index:]

    def _leave(self) -> None:
        """The section is over; one without a call was text."""
        if not self._has_called:
            self._say(self._section)
        self._section, self._has_called, self._place = "", False, _Place.TEXT

    def _read(self) -> bool:
        self._held = self._call.feed(self._held)
        if self._call.name is not None and not self._has_begun:
            self._has_begun, self._space = True, ""
            self._events.append(Begun(self.num_calls, self._call.name))
            self.num_calls += 1
        if self._has_begun and (arguments := self._call.take_arguments()):
            self._events.append(More(self.num_calls - 1, arguments))
        if self._call.state is State.READING:
            return False
        if self._call.state is State.BROKEN and not self._has_begun:
            self._section += self._call.raw
            self._leave()
            return True
        self._section, self._has_called, self._has_begun = "", True, False
        self._place = _Place.CALLS
        return True

    def _say(self, text: str) -> None:
        text = self._space + text
        said = text.rstrip()
        self._space = text[len(said) :]
        if said:
            self._events.append(Text(said))

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events if self._has_several else [e for e in events if _is_of_first(e)]


def _is_of_first(event: Event) -> bool:
    return isinstance(event, Text) or event.index == 0


def _overlap(text: str, tag: str) -> int:
    """How many of the tag's first characters the text ends with."""
    return next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)
