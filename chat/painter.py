"""Shows an answer on a page while it is written, block by block."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from .follower import PARTS
from .markdown import Block, LiveDocument
from .rendering import apart

# All pages together may take a third of the event loop's time: the longer the last block
# takes to render, and the more there are, the less often it is.
LEAST_PAUSE_SECONDS = 0.05
PAUSE_FACTOR = 2.0
MOST_AT_ONCE = 2000  # characters; more are rendered on a thread, while others are served

logger = logging.getLogger(__name__)

Frame = dict[str, Any]
Send = Callable[[Frame], Awaitable[None]]

_painters: "WeakSet[Painter]" = WeakSet()  # of answers that are being written


class Painter:
    """One answer on one page, which shows that much of it already. `ids` are in every frame."""

    def __init__(self, ids: Frame, send: Send, num_citations: int, **shown: str) -> None:
        self._ids = ids
        self._send = send
        self._pages = {
            part: _Page(part, num_citations, shown.get(part, "")) for part in PARTS.values()
        }
        self._has_more = asyncio.Event()
        self._is_over = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        _painters.add(self)

    def add(self, frames: Iterable[Frame]) -> None:
        """What has been told, and is to be shown."""
        for frame in frames:
            self._pages[PARTS[frame["type"]]].pending += frame["text"]
            self._has_more.set()

    async def finish(self) -> None:
        """Return when all is shown."""
        _painters.discard(self)
        self._is_over.set()
        self._has_more.set()
        await self._task

    def cancel(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        try:
            await self._show_all()
        except Exception:  # the answer's end brings all of it once more
            logger.exception("an answer is not shown while it is written")

    async def _show_all(self) -> None:
        while not self._is_over.is_set():
            await self._has_more.wait()
            self._has_more.clear()
            began = time.monotonic()
            await self._show(_Page.render)
            pause = (time.monotonic() - began) * PAUSE_FACTOR * len(_painters)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), max(LEAST_PAUSE_SECONDS, pause))
        await self._show(_Page.finish)

    async def _show(self, render: "Callable[[_Page], list[Block]]") -> None:
        for page in self._pages.values():
            if page.size > MOST_AT_ONCE:
                blocks = await apart(render, page)
            else:
                blocks = render(page)
            for frame in page.frames(blocks):
                await self._send({**frame, **self._ids})


class _Page:
    """The text of an answer, or of its reasoning."""

    def __init__(self, part: str, num_citations: int, shown: str) -> None:
        self.pending = ""
        self._shown = shown
        self._part = part
        self._document = LiveDocument(num_citations)

    @property
    def size(self) -> int:
        """Characters that are to be rendered next."""
        return len(self._shown) + len(self.pending) + self._document.pending_size

    def render(self) -> list[Block]:
        if self._shown:
            self._document.feed(self._shown)
            self._shown = ""
        text, self.pending = self.pending, ""
        return self._document.feed(text) if text else []

    def finish(self) -> list[Block]:
        return [*self.render(), *self._document.finish()]

    def frames(self, blocks: Iterable[Block]) -> Iterator[Frame]:
        for block in {block.index: block for block in blocks}.values():  # the last of each
            yield {
                "type": "block",
                "part": self._part,
                "index": block.index,
                "html": block.html,
                "is_final": block.is_final,
            }
