"""Wakes who waits for news, or after a silence."""

import asyncio


class Bell:
    """For one who waits at a time, and who waits again and again: a timer for each wait would
    cost more than all else that is done for a token. A silence lasts so many `seconds`.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def ring(self) -> None:
        """There are news."""
        self._answer(has_rung=True)

    async def wait(self) -> bool:
        """Whether it has rung; False after a silence."""
        self._waiting = self._loop.create_future()
        self._due = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._look)
        try:
            return await self._waiting
        finally:
            self._waiting = None

    def close(self) -> None:
        """Nobody waits any more."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if self._loop.time() < self._due:  # somebody has waited anew since
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self._answer(has_rung=False)

    def _answer(self, *, has_rung: bool) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(has_rung)
