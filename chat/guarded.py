"""Sockets for whoever may chat, for as long as they may."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from accounts.callers import Caller
from accounts.errors import Refusal
from accounts.sockets import NotLetIn, request_of
from inference import admission

from .asking import count_stranger, let_in
from .bucket import Bucket

logger = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 1.0
LOOK_SECONDS = 30.0  # between two looks at whether who listens still may
FRAMES_AT_ONCE, FRAMES_A_SECOND = 40, 20  # of one socket
SOCKETS_EACH = 500  # of one caller, in this process; without accounts all are one

# Why a socket is closed: RFC 6455, and of the range for applications as the HTTP status.
TOO_MUCH = 1008
FAILED = 1011
NOT_LET_IN = 4401

Receive = Callable[[], Awaitable[dict[str, Any]]]

_open: Counter[str] = Counter()  # by owner


async def _ended(task: "asyncio.Task[None]") -> None:
    """Cancelled, as often as it takes: who waits for Redis may miss it once."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_SECONDS)


class GuardedConsumer(AsyncWebsocketConsumer):
    """Lets in at the handshake, and looks again from time to time.

    Subclasses have `opened`, `renew` and `closed` for what they do around the socket's
    life, and `heard` for what comes.
    """

    _owner = ""  # of whoever has been let in
    _watching: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        """As Channels' own, but that makes a task for each message, and waits for two."""
        self.scope, self.base_send = scope, send
        self.channel_layer = get_channel_layer(self.channel_layer_alias)
        self.channel_name = await self.channel_layer.new_channel()
        self._at_a_time = asyncio.Lock()
        told = partial(self.channel_layer.receive, self.channel_name)
        tasks = [asyncio.create_task(self._heed_all(come)) for come in (receive, told)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except StopConsumer:
            pass
        finally:
            # A task of its own: a server that stops may cancel who waits for it, and again.
            await asyncio.shield(admission.in_background(self._end(tasks)))

    async def _end(self, tasks: "list[asyncio.Task[None]]") -> None:
        try:
            for task in tasks:
                await _ended(task)
        finally:
            if self._owner:
                await self._left()

    async def _heed_all(self, receive: Receive) -> None:
        while True:
            message = await receive()
            async with self._at_a_time:
                await self.dispatch(message)

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

    async def heard(self, text: str) -> None:
        """A frame has come."""

    async def connect(self) -> None:
        self._request = request_of(self.scope)
        self._bucket = Bucket(FRAMES_AT_ONCE, FRAMES_A_SECOND, time.monotonic())
        try:
            caller = await let_in(self._request)
        except (NotLetIn, Refusal, RedisError) as error:
            await self._refuse_handshake(error)
            return
        if _open[caller.owner] >= SOCKETS_EACH:
            logger.warning("too many sockets", extra={"owner": caller.owner})
            await self.close()
            return
        self._owner = caller.owner
        _open[self._owner] += 1
        await self.opened(caller)
        self._watching = asyncio.create_task(self._watch())
        await self.accept()

    async def _refuse_handshake(self, error: Exception) -> None:
        """Whoever tries keys is counted with their address."""
        if isinstance(error, NotLetIn):
            await count_stranger(self._request)
        await self.close()

    async def _left(self) -> None:
        """However it has ended: by its client, or because Redis is gone."""
        _open.subtract([self._owner])
        if not _open[self._owner]:
            del _open[self._owner]
        if self._watching:
            self._watching.cancel()
        await self.closed()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._bucket.take(time.monotonic()):
            await self.heard(text_data or "")
        else:
            logger.warning("too many frames", extra={"owner": self._owner})
            await self.close(TOO_MUCH)

    async def _watch(self) -> None:
        """A session that has ended, or a key that was revoked, hears nothing any more."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await let_in(self._request)
                await self.renew()
            except (NotLetIn, Refusal):
                await self.close(NOT_LET_IN)
                return
            except Exception:  # nobody listens unlooked at; pages come back by themselves
                logger.exception("a socket could not be looked at")
                await self.close(FAILED)
                return
