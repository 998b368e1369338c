"""The channel layer of a service that is one process."""

import time
from contextlib import suppress
from typing import Any

from channels.exceptions import ChannelFull
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
        self._clean_expired()
        for channel in [*self.groups.get(group, ())]:
            with suppress(ChannelFull):  # whoever reads too slowly notices, and asks again
                await self.send(channel, message)
