"""Daphne, with a limit to what it takes in, and an orderly end: drain, then stop the engines."""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Callable
from typing import Any

from asgiref.typing import ASGIApplication
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from twisted.internet.tcp import Connection

from accounts.policy import NO_POLICY, Limit
from accounts.sizes import body_limit, body_refusal
from inference import admission, runtime

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0  # for the last bytes of answers to leave
MOST_FRAMES_WAITING = 16  # of one socket, each of a MiB at most
MOST_UNREAD_BYTES = 8 * 2**20
TOO_MUCH = 1008  # RFC 6455's "policy violation"
LINGER_SECONDS = 5.0  # for a client to read its refusal, while what it still sends is dropped


class _Reader:
    """Twisted's IPushProducer: how fast the client of an answer reads it.

    Without one, all that the application writes is kept, however slowly it is read.
    """

    def __init__(self, seconds: float, give_up: Callable[[], None]) -> None:
        self._seconds = seconds
        self._give_up = give_up
        self._ready = asyncio.Event()
        self._ready.set()
        self._waiting: asyncio.TimerHandle | None = None

    async def ready(self) -> None:
        """Wait until more can be written, or nothing can any more."""
        await self._ready.wait()

    def pauseProducing(self) -> None:
        self._ready.clear()
        loop = asyncio.get_event_loop()
        self._waiting = self._waiting or loop.call_later(self._seconds, self._give_up)

    def resumeProducing(self) -> None:
        self.stopProducing()

    def stopProducing(self) -> None:
        """The connection is gone, or the answer has ended."""
        self._ready.set()
        if self._waiting:
            self._waiting.cancel()
        self._waiting = None


class _LimitedRequest(WebRequest):
    """Takes no more than `max_body` bytes: Daphne asks the application when it has them all.

    Nor is more of the answer written than the client reads; one that reads nothing for
    `slow_client_seconds` is hung up on, which cancels what it has asked for.
    """

    _size = 0
    _is_refused = False
    _reader: _Reader | None = None

    async def ready(self) -> None:
        """Wait until the client has read what was written."""
        if self._reader:
            await self._reader.ready()

    def handle_reply(self, message: Any) -> None:
        is_first = message.get("type") == "http.response.start"
        if is_first and not self._reader and self.channel and not self.finished:
            self._reader = _Reader(self.server.slow_client_seconds, self._hang_up)
            self.registerProducer(self._reader, True)
        super().handle_reply(message)

    def finish(self) -> None:
        self._stop_reading()
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        self._stop_reading()
        super().connectionLost(reason)

    def _stop_reading(self) -> None:
        if self._reader:
            self._reader.stopProducing()
            if self.channel:
                self.unregisterProducer()
        self._reader = None

    def _hang_up(self) -> None:
        logger.warning("connection closed: its client does not read its answer")
        self.channel.transport.abortConnection()

    @property
    def max_body(self) -> int:
        limit: Limit = self.server.max_body
        return limit.value

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        if length is not None and length > self.max_body:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._size += len(data)
        if self._size > self.max_body:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self._is_refused:
            super().requestReceived(command, path, version)

    def _refuse(self) -> None:
        """Answer at once, and hang up when the client has, or has had the time to.

        To close right away would reset the connection, and the answer could be lost.
        """
        self._is_refused = True
        self.content.truncate(0)
        self.requestHeaders.removeHeader(b"expect")  # or the channel would ask for the body
        transport = self.channel.transport
        transport.write(_too_large(self.server.max_body))
        transport.loseWriteConnection()
        self.channel.dataReceived = lambda data: None
        self.channel.callLater(LINGER_SECONDS, transport.abortConnection)
        logger.info("request refused", extra={"status": 413, "max_body_bytes": self.max_body})


def _too_large(limit: Limit) -> bytes:
    """In the API's words (`inference.api.errors`), which this must not import."""
    error = {
        "message": body_refusal(limit),
        "type": "invalid_request_error",
        "param": None,
        "code": "request_too_large",
    }
    body = json.dumps({"error": error}).encode()
    head = (
        "HTTP/1.1 413 Content Too Large\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


class _Factory(HTTPFactory):
    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = _LimitedRequest
        return protocol


def _written_now(transport: Any, data: bytes) -> int:
    """How many bytes the system took at once. Twisted's `write` first waits to hear that it
    would: for each frame two calls of the system, and a round of the event loop.
    """
    is_idle = (
        isinstance(transport, Connection)
        and transport.connected
        and not (transport.disconnecting or transport.dataBuffer or transport._tempDataBuffer)
    )
    taken = transport.writeSomeData(data) if is_idle else 0
    return taken if isinstance(taken, int) else 0  # it is lost, which `write` finds out, too


class _LimitedSocket(WebSocketProtocol):
    """Keeps no more of what a client sends too fast, or reads too slowly, than the limits."""

    muted: bool
    _is_slow = False
    _backlog = 0  # bytes since the client's connection took no more

    def onOpen(self) -> None:
        super().onOpen()
        self.transport.unregisterProducer()  # that of the HTTP which it was before
        self.transport.registerProducer(self, True)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.application_queue.qsize() >= MOST_FRAMES_WAITING:
            logger.warning("socket closed: too many frames wait")
            self.sendClose(TOO_MUCH)
        else:
            super().onMessage(payload, isBinary)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Autobahn's own words a line for its log with every frame, though nobody reads it."""
        if sync or chopsize or self.send_queue:
            super().sendData(data, sync, chopsize)
        elif rest := data[_written_now(self.transport, data) :]:
            self.transport.write(rest)

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        if self._is_slow:
            self._backlog += len(content)
        if self._backlog <= MOST_UNREAD_BYTES:
            super().serverSend(content, binary)
        elif not self.muted:
            logger.warning("socket closed: its client reads too slowly")
            self.muted = True
            self.application_queue.put_nowait({"type": "websocket.disconnect", "code": TOO_MUCH})
            self.transport.abortConnection()

    # Twisted's IPushProducer

    def pauseProducing(self) -> None:
        self._is_slow = True

    def resumeProducing(self) -> None:
        self._is_slow, self._backlog = False, 0

    def stopProducing(self) -> None:
        """The connection is gone."""


class _Server(Server):
    """Daphne, whose listeners' results are the ports that they listen on."""

    def __init__(
        self, *args: Any, max_body: Limit, slow_client_seconds: float, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.max_body = max_body
        self.slow_client_seconds = slow_client_seconds

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """Takes the next part of an answer when its client has read the last ones."""
        await super().handle_reply(protocol, message)
        if isinstance(protocol, _LimitedRequest):
            await protocol.ready()

    @property
    def http_factory(self) -> HTTPFactory:
        return self._factory

    @http_factory.setter
    def http_factory(self, _: HTTPFactory) -> None:
        """`run` makes Daphne's own, and listens with what is found here."""
        self._factory = _Factory(self)

    @property
    def ws_factory(self) -> WebSocketFactory:
        return self._sockets

    @ws_factory.setter
    def ws_factory(self, factory: WebSocketFactory) -> None:
        """The one that `run` makes, for sockets of ours."""
        factory.protocol = _LimitedSocket
        self._sockets = factory

    def listen_success(self, port: Any) -> Any:
        super().listen_success(port)
        return port


class DrainingServer:
    """Runs an ASGI application until SIGINT or SIGTERM. A second signal ends it at once."""

    def __init__(
        self, application: ASGIApplication, host: str, port: int, on_ready: Callable[[], None]
    ) -> None:
        address = host.replace(":", r"\:")
        self._on_ready = on_ready
        self._stopping: asyncio.Task[None] | None = None
        self._server = _Server(
            application,
            endpoints=[f"tcp:port={port}:interface={address}"],
            signal_handlers=False,
            ready_callable=self._start,
            server_name="llmsite",
            max_body=body_limit(NO_POLICY),
            slow_client_seconds=settings.CONFIG.server.slow_client_seconds,
        )

    def run(self) -> bool:
        """Serve; return whether the address could be listened on."""
        self._server.run()
        return not self._server.abort_start

    @property
    def _reactor(self) -> Any:
        from twisted.internet import reactor  # the one that daphne.server installed

        return reactor

    def _start(self) -> None:
        loop = asyncio.get_event_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        admission.keep_lease()
        self._loading = loop.create_task(runtime.load_pinned())
        self._on_ready()

    def _stop(self) -> None:
        if self._stopping is not None:
            os._exit(1)  # the engines notice that their sockets end
        self._stopping = asyncio.get_event_loop().create_task(self._drain())

    async def _drain(self) -> None:
        for listener in self._server.listeners:
            listener.addCallback(lambda port: port.stopListening())
        try:
            await runtime.shutdown()
            await admission.shutdown()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    while self._server.connections:  # noqa: ASYNC110  Daphne tells nobody
                        await asyncio.sleep(0.05)
        finally:
            self._reactor.stop()
