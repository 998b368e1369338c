"""A client of the chat socket of a running service."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from .server import PATIENCE_SECONDS, Server


class ChatClient:
    """Says what it is told to, and puts together what it hears of each answer."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.texts: dict[str, str] = {}

    def say(self, type: str, **fields: Any) -> None:
        self._socket.send(json.dumps({"type": type, **fields}))

    def hear_until(self, *types: str) -> dict[str, Any]:
        while (frame := self._hear())["type"] not in types:
            pass
        return frame

    def hear_characters(self, message: str, number: int) -> None:
        """Until so much of that answer has come."""
        while len(self.texts.get(message, "")) < number:
            self._hear()

    def _hear(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self._socket.recv(PATIENCE_SECONDS))
        if frame["type"] == "delta":
            text = self.texts.get(frame["message"], "") + frame["text"]
            assert frame["seq"] == len(text), "a piece was lost, or came twice"
            self.texts[frame["message"]] = text
        return frame


@contextmanager
def chatting(server: Server) -> Iterator[ChatClient]:
    with connect(f"{server.url.replace('http', 'ws')}/ws/chat/", max_size=None) as socket:
        yield ChatClient(socket)
