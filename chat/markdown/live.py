"""A text that streams: blocks that are finished, once each, and the last one ever anew."""

from collections.abc import Iterator
from dataclasses import dataclass

from .code import ENGLISH, MAX_HIGHLIGHTED_OPEN, Labels
from .document import normalized, parse, to_html
from .finality import num_final


@dataclass(frozen=True)
class Block:
    """HTML of the block with this index, in place of what was said of it before."""

    index: int
    html: str
    is_final: bool


class LiveDocument:
    """The final blocks, put together, are what `render` makes of the whole text.

    Feeding parses and renders what is not final yet, `pending_size` characters: who
    feeds little by little should do it less often when they are many.
    """

    def __init__(self, num_citations: int = 0, labels: Labels = ENGLISH) -> None:
        self._num_citations = num_citations
        self._labels = labels
        self._num_final = 0
        self._pending = ""
        self._held = ""  # a carriage return whose newline may be still to come

    @property
    def pending_size(self) -> int:
        """Characters that the next `feed` renders, besides its own."""
        return len(self._pending)

    def feed(self, text: str) -> list[Block]:
        """The blocks that are new or have changed; only the last may be not final."""
        text = self._held + text
        self._held = "\r" if text.endswith("\r") else ""
        self._pending += normalized(text.removesuffix("\r"))
        return list(self._blocks(is_whole=False))

    def finish(self) -> list[Block]:
        self._pending += normalized(self._held)
        self._held = ""
        return list(self._blocks(is_whole=True))

    def _blocks(self, *, is_whole: bool) -> Iterator[Block]:
        elements = parse(self._pending, self._num_citations)
        count = len(elements) if is_whole else num_final(elements, self._pending)
        for element in elements[:count]:
            yield Block(self._num_final, to_html([element], labels=self._labels), is_final=True)
            self._num_final += 1
        if count:
            rest = elements[count].start if count < len(elements) else elements[-1].end
            self._pending = "" if is_whole else _from_line(self._pending, rest)
        if elements[count:]:
            html = to_html(elements[count:], MAX_HIGHLIGHTED_OPEN, self._labels)
            yield Block(self._num_final, html, is_final=False)


def _from_line(text: str, line: int) -> str:
    return "\n".join(text.split("\n")[line:])
