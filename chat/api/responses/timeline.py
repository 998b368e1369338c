"""The events of a response, numbered by what it says and by nothing else.

Whoever asks for them again, of whichever server process and whenever, gets the same
events with the same numbers: text is cut at places that depend on the text alone, about
a word at a time, and not on when it came. So no event has to be kept to be told again.
A word is told once it is known to end: a token later than it might have been.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from chat.models import Message
from chat.reading import Written

from .parts import Part, parts_of, reasoning_part, text_part

WORD, SPACE = 8, 8  # characters of a piece at most, and of the space before them
PIECE = re.compile(rf"\s{{0,{SPACE}}}\S{{1,{WORD}}}|\s{{1,{SPACE}}}")

Event = dict[str, Any]


def pieces(text: str, start: int, *, is_whole: bool) -> Iterator[str]:
    """From there on; a last one that more text might make longer only if there is none."""
    while start < len(text):
        match = PIECE.match(text, start)
        assert match
        is_full = len(match[0].lstrip()) == WORD
        if match.end() == len(text) and not (is_full or is_whole):
            return
        start = match.end()
        yield match[0]


class Timeline:
    """Asked with what there is of an answer, again and again; tells what is new each time."""

    def __init__(self, answer: Message) -> None:
        self._answer = answer
        self._number = 0  # of the next event
        self._index = 0  # of the part that is being told
        self._told = 0  # characters of it
        self._is_open = False

    def begin(self, response: dict[str, Any], *, is_queued: bool) -> Iterator[Event]:
        """`response` as it is before there is anything of it."""
        for name in ("created", *(["queued"] if is_queued else []), "in_progress"):
            status = {"status": "queued"} if is_queued and name != "in_progress" else {}
            yield self._event(f"response.{name}", response={**response, **status})

    def grow(self, written: Written, *, is_over: bool = False, status: str = "") -> Iterator[Event]:
        """Once it is over, `status` is that of its last item."""
        parts = parts_of(self._answer, written)
        while self._index < len(parts):
            part, is_last = parts[self._index], self._index == len(parts) - 1
            if not self._is_open:
                self._is_open = True
                yield from self._opened(part)
            is_whole = is_over or not is_last
            yield from self._deltas(part, is_whole=is_whole)
            if not is_whole:
                return
            yield from self._closed(part, status if is_last else "completed")
            self._index, self._told, self._is_open = self._index + 1, 0, False

    def end(self, response: dict[str, Any], *, at_least: int = 0) -> Iterator[Event]:
        """The last event. Whoever has heard of more than was kept hears of the end, too."""
        names = {"completed": "completed", "failed": "failed"}
        self._number = max(self._number, at_least)
        name = names.get(response["status"], "incomplete")
        yield self._event(f"response.{name}", response=response)

    def _opened(self, part: Part) -> Iterator[Event]:
        index = {"output_index": self._index}
        yield self._event("response.output_item.added", **index, item=part.begun())
        if part.kind != "fc":
            added = self._place(part) | {"part": _content(replace(part, logprobs=()), "")}
            yield self._event("response.content_part.added", **added)

    def _deltas(self, part: Part, *, is_whole: bool) -> Iterator[Event]:
        for piece in pieces(part.content, self._told, is_whole=is_whole):
            start, self._told = self._told, self._told + len(piece)
            place, more = self._place(part), _logprobs(part, start, self._told)
            yield self._event(f"{NAMES[part.kind]}.delta", **place, delta=piece, **more)

    def _closed(self, part: Part, status: str) -> Iterator[Event]:
        place = self._place(part)
        name = f"{NAMES[part.kind]}.done"
        if part.kind == "fc":
            yield self._event(name, **place, name=part.call["name"], arguments=part.content)
        else:
            yield self._event(name, **place, text=part.content, **_logprobs(part))
            done = place | {"part": _content(part, part.content)}
            yield self._event("response.content_part.done", **done)
        item = part.item(status)
        index = {"output_index": self._index}
        yield self._event("response.output_item.done", **index, item=item)

    def _place(self, part: Part) -> Event:
        content = {} if part.kind == "fc" else {"content_index": 0}
        return {"item_id": part.id, "output_index": self._index, **content}

    def _event(self, type: str, **fields: Any) -> Event:
        event = {"type": type, "sequence_number": self._number, **fields}
        self._number += 1
        return event


NAMES = {
    "rs": "response.reasoning_text",
    "msg": "response.output_text",
    "fc": "response.function_call_arguments",
}


def _content(part: Part, text: str) -> dict[str, Any]:
    return reasoning_part(text) if part.kind == "rs" else text_part(text, part.told(0))


def _logprobs(part: Part, start: int = 0, end: int | None = None) -> Event:
    return {"logprobs": part.told(start, end)} if part.kind == "msg" else {}


def output_of(parts: Sequence[Part], status: str) -> list[dict[str, Any]]:
    """The items of an answer that is over; `status` is that of the last."""
    return [
        part.item(status if index == len(parts) - 1 else "completed")
        for index, part in enumerate(parts)
    ]
