"""A socket's two sources of messages, and its end."""

import asyncio

import pytest
from channels.testing import WebsocketCommunicator

from chat import guarded
from chat.guarded import GuardedConsumer

from .socket import all_is_said

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


class Slow(HardOfHearing):
    """Takes its time to end."""

    async def receive(self, channel):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)


class Counted(GuardedConsumer):
    async def connect(self):
        self._owner = "user:1"
        guarded._open[self._owner] += 1
        await self.accept()


async def test_who_is_cancelled_again_while_their_socket_ends_is_counted_out(monkeypatch):
    """As a server does that stops and does not wait."""
    monkeypatch.setattr(guarded, "get_channel_layer", lambda alias: Slow())
    socket = WebsocketCommunicator(Counted.as_asgi(), "/")
    await socket.connect()
    for _ in range(3):
        socket.future.cancel()
        await asyncio.sleep(0)

    await all_is_said()
    assert socket.future.cancelled()
    assert not guarded._open
