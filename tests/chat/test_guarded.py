"""A socket's two sources of messages, and its end."""

import asyncio

import pytest
from channels.testing import WebsocketCommunicator

from chat import guarded
from chat.guarded import GuardedConsumer

# Channels looks for old connections to the database when a socket ends.
pytestmark = pytest.mark.django_db(transaction=True)


class Open(GuardedConsumer):
    """Lets everybody in."""

    async def connect(self):
        await self.accept()

    async def broken(self, message):
        raise ValueError("broken")


class HardOfHearing:
    """A layer that misses being cancelled once, as that for Redis may in some moments."""

    async def new_channel(self):
        return "specific.1!2"

    async def receive(self, channel):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()


@pytest.fixture
async def ended():
    """Opens a socket on a layer, and closes it."""

    async def ended(layer, monkeypatch):
        monkeypatch.setattr(guarded, "get_channel_layer", lambda alias: layer)
        socket = WebsocketCommunicator(Open.as_asgi(), "/")
        await socket.connect()
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        async with asyncio.timeout(10):
            await asyncio.wait([socket.future])
        return socket.future

    return ended


async def test_a_socket_ends_though_its_layer_missed_that(ended, monkeypatch):
    monkeypatch.setattr(guarded, "CANCEL_AGAIN_SECONDS", 0.01)
    future = await ended(HardOfHearing(), monkeypatch)
    assert future.exception() is None


class Breaking(HardOfHearing):
    async def receive(self, channel):
        return {"type": "broken"}


async def test_what_fails_in_a_handler_ends_the_socket(ended, monkeypatch):
    future = await ended(Breaking(), monkeypatch)
    assert isinstance(future.exception(), ValueError)
