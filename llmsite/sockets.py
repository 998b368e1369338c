"""Where the sockets are."""

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.urls import re_path

from chat import routing
from chat.api import routing as older


class NoSuchSocket(AsyncWebsocketConsumer):
    """For every other path: the handshake is refused."""

    async def connect(self) -> None:
        await self.close()


PATHS = [*routing.sockets, *older.sockets]

sockets = URLRouter([*PATHS, re_path("", NoSuchSocket.as_asgi())])
