"""What one socket has been told of one answer, and what it still has to be told."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from .markdown import Block, LiveDocument

PARTS = {"delta": "text", "reasoning": "reasoning"}

# Of a socket's time, rendering takes a tenth at most: a long block is shown less often.
LEAST_PAUSE_SECONDS = 0.05
PAUSE_FACTOR = 9.0

Frame = dict[str, Any]


class Follower:
    """One answer on its way to one socket: gaps are found, overlaps cut, blocks rendered.

    Pure but for the clock that bounds what rendering costs. `ids` are in every frame.
    """

    def __init__(
        self,
        ids: Frame,
        seq: int = 0,
        reasoning_seq: int = 0,
        *,
        with_html: bool = False,
        num_citations: int = 0,
    ) -> None:
        pages = {
            part: _Page(part, num_citations) if with_html else None
            for part in ("reasoning", "text")
        }
        self._parts = {
            "reasoning": _Part("reasoning", reasoning_seq, pages["reasoning"]),
            "text": _Part("delta", seq, pages["text"]),
        }
        self._ids = ids
        self.is_behind = with_html and seq + reasoning_seq > 0  # a page needs it all to render

    @property
    def seqs(self) -> tuple[int, int]:
        """How much the socket has of the reasoning, and of the text."""
        return self._parts["reasoning"].seq, self._parts["text"].seq

    def take(self, frame: Frame) -> list[Frame]:
        """The frames to send for a piece that was told; none, if it shows that some is missing."""
        part = self._parts[PARTS[frame["type"]]]
        start = frame["seq"] - len(frame["text"])
        if self.is_behind or start > part.seq:
            self.is_behind = True
            return []
        return self._made(part.feed(frame["text"][part.seq - start :]))

    def catch_up(self, text: str, reasoning: str) -> list[Frame]:
        """The frames that bring the socket to where the answer is."""
        self.is_behind = False
        wholes = {"reasoning": reasoning, "text": text}
        parts = self._parts.items()
        return self._made(frame for name, part in parts for frame in part.refill(wholes[name]))

    def finish(self) -> list[Frame]:
        """What is left to be rendered when the answer has ended."""
        return self._made(frame for part in self._parts.values() for frame in part.finish())

    def flush(self) -> list[Frame]:
        """What waits to be rendered, if it has waited long enough."""
        return self._made(frame for part in self._parts.values() for frame in part.flush())

    def _made(self, frames: Iterable[Frame]) -> list[Frame]:
        return [{**frame, **self._ids} for frame in frames]


class _Part:
    """The text of an answer, or of its reasoning."""

    def __init__(self, type: str, seq: int, page: "_Page | None") -> None:
        self.seq = seq
        self.page = page
        self._type = type

    def feed(self, text: str) -> Iterator[Frame]:
        if text:
            self.seq += len(text)
            yield {"type": self._type, "seq": self.seq, "text": text}
        if self.page:
            yield from self.page.feed(text)

    def refill(self, whole: str) -> Iterator[Frame]:
        if self.page:
            self.page.skip(whole[: self.seq])
        yield from self.feed(whole[self.seq :])

    def flush(self) -> Iterator[Frame]:
        if self.page:
            yield from self.page.feed("")

    def finish(self) -> Iterator[Frame]:
        if self.page:
            yield from self.page.finish()


class _Page:
    """Renders one part, block by block."""

    def __init__(self, part: str, num_citations: int) -> None:
        self.pending = ""
        self._part = part
        self._num_citations = num_citations
        self._document = LiveDocument(num_citations)
        self._due_at = 0.0

    def skip(self, text: str) -> None:
        """Begin anew with what the page shows already."""
        self.pending = ""
        self._document = LiveDocument(self._num_citations)
        self._document.feed(text)

    def feed(self, text: str) -> Iterator[Frame]:
        self.pending += text
        now = time.monotonic()
        if self.pending and now >= self._due_at:
            blocks, self.pending = self._document.feed(self.pending), ""
            took = time.monotonic() - now
            self._due_at = now + max(LEAST_PAUSE_SECONDS, took * PAUSE_FACTOR)
            yield from self._frames(blocks)

    def finish(self) -> Iterator[Frame]:
        blocks = self._document.feed(self.pending) if self.pending else []
        self.pending = ""
        yield from self._frames([*blocks, *self._document.finish()])

    def _frames(self, blocks: list[Block]) -> Iterator[Frame]:
        for block in {block.index: block for block in blocks}.values():  # the last of each
            yield {
                "type": "block",
                "part": self._part,
                "index": block.index,
                "html": block.html,
                "is_final": block.is_final,
            }
