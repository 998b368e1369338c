"""Who waits to hear what needs no sequence: how many tokens something has, and the like."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .errors import EngineError


class Counts:
    """The questions that an engine has not answered yet. All on one event loop."""

    def __init__(self) -> None:
        self._asked: dict[int, asyncio.Future[Any]] = {}

    def __contains__(self, id: int) -> bool:
        return id in self._asked

    @contextmanager
    def waiting(self, id: int) -> Iterator["asyncio.Future[Any]"]:
        """The answer to come, for as long as somebody waits for it."""
        asked = self._asked[id] = asyncio.get_running_loop().create_future()
        try:
            yield asked
        finally:
            del self._asked[id]

    def answer(self, id: int, told: Any) -> None:
        """Ids that nobody waits for any more are fine, here and below."""
        asked = self._asked.get(id)
        if asked and not asked.done():
            asked.set_result(told)

    def fail(self, id: int, error: EngineError) -> None:
        asked = self._asked.get(id)
        if asked and not asked.done():
            asked.set_exception(error)

    def fail_all(self, make_error: Callable[[], EngineError]) -> None:
        """Each with an error of its own: whoever raises one changes it."""
        for id in self._asked:
            self.fail(id, make_error())
