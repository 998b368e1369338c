"""Sockets for whoever may chat, for as long as they may."""

import asyncio
from typing import Any

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from redis.exceptions import RedisError

from accounts.callers import Caller
from accounts.errors import Refusal
from accounts.sockets import NotLetIn, request_of

from .asking import let_in

LOOK_SECONDS = 30.0  # between two looks at whether who listens still may
NOT_LET_IN = 4401  # of the range for applications; as the HTTP status

REFUSALS = (NotLetIn, Refusal, RedisError)


class GuardedConsumer(AsyncWebsocketConsumer):
    """Lets in at the handshake, and looks again from time to time.

    Subclasses have `opened`, `renew` and `closed` for what they do around the socket's life.
    """

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler. Channels itself goes to a thread first, for each message, to see
        to connections of the database; what uses one here sees to it then.
        """
        await getattr(self, get_handler_name(message))(message)

    async def opened(self, caller: Caller) -> None:
        """They have been let in; the handshake is about to be answered."""

    async def renew(self) -> None:
        """It has been open for a while, and still may be: groups forget their members."""

    async def closed(self) -> None:
        """The socket that was opened is gone."""

    async def connect(self) -> None:
        self._request = request_of(self.scope)
        self._watching: asyncio.Task[None] | None = None
        try:
            caller = await let_in(self._request)
        except REFUSALS:
            await self.close()
            return
        await self.opened(caller)
        self._watching = asyncio.create_task(self._watch())
        await self.accept()

    async def disconnect(self, code: int) -> None:
        if self._watching:
            self._watching.cancel()
            await self.closed()

    async def _watch(self) -> None:
        """A session that has ended, or a key that was revoked, hears nothing any more."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await let_in(self._request)
            except REFUSALS:
                await self.close(NOT_LET_IN)
                return
            await self.renew()
