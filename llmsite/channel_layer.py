"""The channel layer of a service that is one process."""

import time
from asyncio import Queue, QueueFull
from contextlib import suppress
from typing import Any

from channels.layers import InMemoryChannelLayer

CLEAN_SECONDS = 1.0


class ProcessLayer(InMemoryChannelLayer):
    """Channels' own, for many sockets: that one looks at every channel for every message."""

    _cleaned_at = 0.0

    def _clean_expired(self) -> None:
        now = time.monotonic()
        if now - self._cleaned_at >= CLEAN_SECONDS:
            self._cleaned_at = now
            super()._clean_expired()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """All are given the very same message, which nobody may change: every piece of every
        answer is sent through here.
        """
        self._clean_expired()
        expires_at = time.time() + self.expiry
        for channel in [*self.groups.get(group, ())]:
            with suppress(QueueFull):  # whoever reads too slowly notices, and asks again
                self._queue(channel).put_nowait((expires_at, message))

    async def receive(self, channel: str) -> dict[str, Any]:
        """Without a look at the channel's name, and a new queue, for each message."""
        self._clean_expired()
        queue = self._queue(channel)
        try:
            message: dict[str, Any] = (await queue.get())[1]
            return message
        finally:
            if queue.empty():
                self.channels.pop(channel, None)

    def _queue(self, channel: str) -> "Queue[tuple[float, dict[str, Any]]]":
        if channel not in self.channels:
            self.channels[channel] = Queue(self.get_capacity(channel))
        queue: Queue[tuple[float, dict[str, Any]]] = self.channels[channel]
        return queue
