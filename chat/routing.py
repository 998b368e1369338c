"""Where the sockets are."""

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.urls import path, re_path

from .consumers import ChatConsumer


class NoSuchSocket(AsyncWebsocketConsumer):
    """For every other path: the handshake is refused."""

    async def connect(self) -> None:
        await self.close()


sockets = URLRouter([path("ws/chat/", ChatConsumer.as_asgi()), re_path("", NoSuchSocket.as_asgi())])
