"""Daphne, with an orderly end: drain the answers under way, then stop the engines."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

from asgiref.typing import ASGIApplication
from daphne.server import Server

from inference import runtime

FLUSH_SECONDS = 2.0  # for the last bytes of answers to leave


class _Server(Server):
    """Daphne, whose listeners' results are the ports that they listen on."""

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
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    while self._server.connections:  # noqa: ASYNC110  Daphne tells nobody
                        await asyncio.sleep(0.05)
        finally:
            self._reactor.stop()
