"""A client of the chat socket, over ASGI and without a server."""

import asyncio
import json
import time
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator

from inference.admission import background
from llmsite.proxies import BelievedProxies
from llmsite.sockets import sockets

application = BelievedProxies(sockets)  # without the server's threads, each with a connection

PATIENCE_SECONDS = 20.0
OWN_PAGE = "http://testserver"


async def all_is_said() -> None:
    """Until nobody writes any more: Redis's channel layer has locks of this test's event loop."""
    layer, until = get_channel_layer(), time.monotonic() + PATIENCE_SECONDS
    while background._tasks and time.monotonic() < until:
        await asyncio.wait([*background._tasks], timeout=0.1)
    while getattr(layer, "receive_cleaners", ()) and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


class Socket:
    """Says what it is told to, and remembers what it heard."""

    def __init__(self, path: str = "/ws/chat/", **headers: str) -> None:
        sent = {"host": "testserver", **headers}
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
        self._socket = WebsocketCommunicator(application, path, headers=raw)
        self._socket.scope.update(client=["127.0.0.1", 1234], server=["testserver", 80])
        self.heard: list[dict[str, Any]] = []

    async def is_let_in(self) -> bool:
        is_accepted, _ = await self._socket.connect(PATIENCE_SECONDS)
        return bool(is_accepted)

    @classmethod
    @asynccontextmanager
    async def opened(cls, path: str = "/ws/chat/", **headers: str):
        socket = cls(path, **headers)
        assert await socket.is_let_in()
        try:
            yield socket
        finally:
            await socket.close()

    @classmethod
    async def may_open(cls, path: str = "/ws/chat/", **headers: str) -> bool:
        """Knock, and leave."""
        socket = cls(path, **headers)
        try:
            return await socket.is_let_in()
        finally:
            await socket.close()

    async def close(self) -> None:
        # Whoever waited in vain has cancelled it, which is no reason for the next test to fail.
        with suppress(asyncio.CancelledError):
            await self._socket.disconnect()
        await all_is_said()

    async def say_raw(self, text: str) -> Self:
        await self._socket.send_to(text_data=text)
        return self

    async def say(self, type: str, **fields: Any) -> Self:
        return await self.say_raw(json.dumps({"type": type, **fields}))

    async def hear(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await self._socket.receive_from(PATIENCE_SECONDS))
        self.heard.append(frame)
        return frame

    async def hear_text(self) -> str:
        """The next frame of a socket that is not of JSON."""
        return str(await self._socket.receive_from(PATIENCE_SECONDS))

    async def hears_nothing(self) -> bool:
        return bool(await self._socket.receive_nothing())

    async def hear_until(self, *types: str) -> dict[str, Any]:
        """The next frame of one of those types."""
        while (frame := await self.hear())["type"] not in types:
            pass
        return frame

    async def ask(self, text: str, **fields: Any) -> dict[str, Any]:
        """Say something; the frame that says it was accepted."""
        await self.say("send", text=text, **fields)
        return await self.hear_until("accepted", "error")

    async def answered(self, text: str, **fields: Any) -> dict[str, Any]:
        """Say something, and hear all of the answer; its last frame."""
        await self.ask(text, **fields)
        return await self.hear_until("done")

    def text(self, message: str, type: str = "delta") -> str:
        """What was heard of that answer; every piece follows the one before."""
        text = ""
        for frame in self.heard:
            if frame["type"] == type and frame["message"] == message:
                text += frame["text"]
                assert frame["seq"] == len(text)
        return text
