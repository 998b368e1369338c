"""Shows an answer on a page: what is said of it, and its text block by block.

All of that has to be rendered, and takes its time in a task of its own: the text itself
waits for none of it.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from .follower import PARTS
from .markdown import Block, Labels, LiveDocument
from .rendering import apart

# All pages together may take a third of the event loop's time: the longer the last block
# takes to render, and the more there are, the less often it is. A loop that wakes us late
# has too much to do, and texts are late as well: then blocks are what can wait.
LEAST_PAUSE_SECONDS = 0.05
MOST_PAUSE_SECONDS = 3.0
PAUSE_FACTOR = 2.0
LATE_FACTOR = 20.0
MOST_AT_ONCE = 2000  # characters; more are rendered on a thread, while others are served

logger = logging.getLogger(__name__)

Frame = dict[str, Any]
Send = Callable[[Frame], Awaitable[None]]
Count = Callable[[], Awaitable[int]]

_painters: "WeakSet[Painter]" = WeakSet()  # of answers that are being written


def pause_seconds(cost: float, num_painters: int, late: float) -> float:
    """Until blocks are rendered again: `cost` is what it took, `late` how late the loop was."""
    pause = max(LEAST_PAUSE_SECONDS, cost * PAUSE_FACTOR * num_painters, late * LATE_FACTOR)
    return min(pause, MOST_PAUSE_SECONDS)


class Painter:
    """One answer on one page. `ids` are in every block's frame.

    `send` is given blocks, `send_whole` the frames that are said of the answer: it may
    render what belongs to them. They keep their order, and blocks come between the first
    and the last. `count` says how many attachments the answer may cite.
    """

    def __init__(
        self,
        ids: Frame,
        send: Send,
        send_whole: Send,
        count: Count,
        labels: Labels | None = None,
    ) -> None:
        self.ids = ids
        self._send = send
        self._send_whole = send_whole
        self._count = count
        self._labels = labels or Labels()
        self._pages: dict[str, _Page] = {}
        self._said: deque[Frame] = deque()
        self._shown = dict.fromkeys(PARTS.values(), "")
        self._pending = dict.fromkeys(PARTS.values(), "")
        self._seqs = dict.fromkeys(PARTS.values(), 0)
        self._is_blank = True
        self._is_over = False
        self._is_broken = False
        self._late = 0.0
        self._has_text, self._has_words = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self._run())
        _painters.add(self)

    def shows(self, **parts: str) -> None:
        """So much is on the page already; without effect once text was added."""
        if self._is_blank:
            self._shown.update(parts)

    def add(self, frames: Iterable[Frame]) -> None:
        """Text that has been told, and is to be shown."""
        for frame in frames:
            part = PARTS[frame["type"]]
            self._pending[part] += frame["text"]
            self._seqs[part] = frame["seq"]
            self._is_blank = False
            self._has_text.set()

    def say(self, frame: Frame) -> None:
        """Send it after what was said before it."""
        self._said.append(frame)
        self._has_words.set()
        self._has_text.set()

    def end(self, frame: Frame) -> "asyncio.Task[None]":
        """Send it when all is shown; the task ends then."""
        _painters.discard(self)
        self._is_over = True
        self.say(frame)
        return self._task

    def cancel(self) -> None:
        _painters.discard(self)
        self._task.cancel()

    async def _run(self) -> None:
        while not self._is_over:
            await self._has_text.wait()
            self._has_text.clear()
            await self._speak()
            if self._is_over:
                break
            began = time.monotonic()
            await self._paint(_Page.render)
            await self._rest(time.monotonic() - began)
        *before, last = self._said
        for frame in before:
            await self._send_said(frame)
        await self._paint(_Page.finish)
        await self._send_said(last)

    async def _rest(self, cost: float) -> None:
        """Until blocks are due, or something was said."""
        pause = pause_seconds(cost, len(_painters), self._late)
        due = time.monotonic() + pause
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._has_words.wait()
        self._late = max(0.0, time.monotonic() - due)

    async def _speak(self) -> None:
        """What was said, but for the last frame of all."""
        self._has_words.clear()
        while self._said and not self._is_over:
            await self._send_said(self._said.popleft())

    async def _send_said(self, frame: Frame) -> None:
        try:
            await self._send_whole(frame)
        except Exception:
            logger.exception("a frame does not reach its page", extra={"type": frame["type"]})

    async def _paint(self, render: "Callable[[_Page], list[Block]]") -> None:
        if self._is_broken:
            return
        try:
            await self._show(render)
        except Exception:  # the answer's end brings all of it once more
            self._is_broken = True
            logger.exception("an answer is not shown while it is written")

    async def _show(self, render: "Callable[[_Page], list[Block]]") -> None:
        for part, page in (await self._its_pages()).items():
            page.take(self._shown[part], self._pending[part])
            self._shown[part] = self._pending[part] = ""
            seq = self._seqs[part]
            if page.size > MOST_AT_ONCE:
                blocks = await apart(render, page)
            else:
                blocks = render(page)
            for frame in page.frames(blocks, seq):
                await self._send({**frame, **self.ids})

    async def _its_pages(self) -> "dict[str, _Page]":
        """None before there is a text."""
        if not self._pages and not self._is_blank:
            num_citations = await self._count()
            self._pages = {
                part: _Page(part, LiveDocument(num_citations, self._labels))
                for part in PARTS.values()
            }
        return self._pages


class _Page:
    """The text of an answer, or of its reasoning."""

    def __init__(self, part: str, document: LiveDocument) -> None:
        self._pending = ""
        self._shown = ""
        self._part = part
        self._document = document

    @property
    def size(self) -> int:
        """Characters that are to be rendered next."""
        return len(self._shown) + len(self._pending) + self._document.pending_size

    def take(self, shown: str, pending: str) -> None:
        self._shown += shown
        self._pending += pending

    def render(self) -> list[Block]:
        if self._shown:
            self._document.feed(self._shown)
            self._shown = ""
        text, self._pending = self._pending, ""
        return self._document.feed(text) if text else []

    def finish(self) -> list[Block]:
        return [*self.render(), *self._document.finish()]

    def frames(self, blocks: Iterable[Block], seq: int) -> Iterator[Frame]:
        """With the last of them the page shows `seq` characters."""
        last_of_each = {block.index: block for block in blocks}
        for block in last_of_each.values():
            frame = {
                "type": "block",
                "part": self._part,
                "index": block.index,
                "html": block.html,
                "is_final": block.is_final,
            }
            yield frame if block.index < max(last_of_each) else {**frame, "seq": seq}
