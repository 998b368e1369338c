"""What all servers have in common."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from .client import Address, Refused
from .meter import family
from .question import Piece, Question
from .setup import MODEL_ID, ROOT, Setup

START_SECONDS = 600.0
STOP_SECONDS = 60.0
LOOK_SECONDS = 0.1


class BenchError(Exception):
    """A server does not do what the measurement needs."""


class Server(ABC):
    """One that answers chats. `is_batching`: several at once."""

    name: str
    is_batching = True
    has_owners = False

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    @abstractmethod
    async def start(self) -> None:
        """Until requests are answered, though the model may not be loaded yet.

        Raises:
            BenchError: it does not start.
        """

    @abstractmethod
    async def stop(self) -> None:
        """As an operator would, by SIGTERM; nothing of it is left."""

    @abstractmethod
    def ask(self, question: Question) -> AsyncIterator[Piece]:
        """The answer; leaving the iteration hangs up."""

    @abstractmethod
    def processes(self) -> list[psutil.Process]:
        """All that the server consists of, the one that faces the clients first."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class HttpServer(Server):
    """A process of its own that speaks OpenAI's chat API."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._process: subprocess.Popen[bytes] | None = None
        self._address = Address(0)

    @abstractmethod
    def command(self, port: int) -> list[str]: ...

    @abstractmethod
    def environment(self, port: int) -> dict[str, str]: ...

    @abstractmethod
    async def is_ready(self) -> bool: ...

    def body(self, question: Question) -> dict[str, Any]:
        return question.body(MODEL_ID)

    def headers(self, question: Question) -> dict[str, str]:
        return {}

    @property
    def log(self) -> Path:
        return self.setup.folder / "server.log"

    async def start(self) -> None:
        self._launch(free_port())
        await self._until_ready()

    def _launch(self, port: int) -> None:
        self.setup.folder.mkdir(parents=True, exist_ok=True)
        self._address = Address(port)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(port),
                cwd=ROOT,
                env=self.environment(port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise BenchError(f"{self.name} has ended at its start:\n{self._last_words()}")
            with suppress(OSError, Refused, EOFError):
                if await self.is_ready():
                    return
            await asyncio.sleep(LOOK_SECONDS)
        raise BenchError(f"{self.name} is not ready after {START_SECONDS:g} s")

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    async def stop(self) -> None:
        if self._process is None:
            return
        everyone = self.processes()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self._bury)
        for process in everyone:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process = None

    def _bury(self) -> None:
        assert self._process is not None
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def processes(self) -> list[psutil.Process]:
        return family(self._process.pid) if self._process else []

    async def ask(self, question: Question) -> AsyncIterator[Piece]:
        events = self._address.events(
            "/v1/chat/completions", self.body(question), self.headers(question)
        )
        try:
            async for event in events:
                yield piece_of(event)
        except Refused as error:
            raise BenchError(f"{self.name}: {error}") from None
        except (OSError, EOFError, TimeoutError) as error:
            raise BenchError(f"{self.name} has broken off: {error!r}") from None
        finally:
            await events.aclose()  # type: ignore[attr-defined]  # it is a generator


def piece_of(event: dict[str, Any]) -> Piece:
    """
    Raises:
        BenchError: the stream brings an error.
    """
    if "error" in event:
        raise BenchError(f"the stream says: {event['error']}")
    usage = event.get("usage") or {}
    choices = event.get("choices") or [{}]
    text = choices[0].get("delta", {}).get("content") or ""
    details = usage.get("prompt_tokens_details") or {}
    return Piece(text, usage.get("completion_tokens"), details.get("cached_tokens") or 0)


def inherited() -> dict[str, str]:
    """This process's environment, without what would configure the service."""
    ours = ("LLMSITE_", "DJANGO_", "DATABASE_URL", "REDIS_URL", "BENCH_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
