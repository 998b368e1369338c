"""The engine's process: `python -m inference.engine.child FD`.

The web process holds the other end of the socket FD. When it goes, however it
goes, the socket ends and so does this process, in whatever it is doing.
"""

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from .backend import Backend, EmbedBackend
from .config import EngineConfig
from .embedder import Embedder
from .embedding import EmbedRequest
from .engine import Engine
from .errors import EngineError, ModelLoadFailed
from .lines import Lines
from .request import Request
from .wire import (
    Cancel,
    Channel,
    Count,
    Detokenize,
    Embed,
    Failure,
    FromEngine,
    Go,
    Loading,
    LogLine,
    Question,
    Ready,
    Render,
    Start,
    Stop,
    Submit,
    Tokenize,
)

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.1  # between two messages
TIDY_SECONDS = 60.0
QUESTIONS = "\0questions"  # no owner is called so


class Outbox:
    """Sends to the web process; without one there is nobody to work for."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._progress_at = 0.0

    def send(self, message: FromEngine) -> None:
        try:
            self._channel.send(message)
        except OSError:
            quit_now()

    def send_progress(self, progress: float) -> None:
        now = time.monotonic()
        if now - self._progress_at >= PROGRESS_SECONDS:
            self._progress_at = now
            self.send(Loading(progress))


class WireHandler(logging.Handler):
    """Log lines go where the web process writes its own."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox = outbox

    def emit(self, record: logging.LogRecord) -> None:
        request_id = getattr(record, "request_id", "")
        # Without a formatter `format` is the message, and a traceback if there is one.
        self._outbox.send(LogLine(record.levelno, record.name, self.format(record), request_id))


class Desk(threading.Thread):
    """Renders and tokenizes, one request or question after the other: owners take turns, and
    questions are one more of them.
    """

    def __init__(self, engine: Engine | Embedder) -> None:
        super().__init__(name="desk", daemon=True)
        self._engine = engine
        self._work: Lines[Request | EmbedRequest | Question] = Lines()

    def submit(self, request: Request | EmbedRequest) -> None:
        if self._engine.intake.reserve(request):
            self._work.put(request.owner, request)

    def ask(self, asked: Question) -> None:
        self._work.put(QUESTIONS, asked)

    def run(self) -> None:
        while True:
            match self._work.get():
                case Request() | EmbedRequest() as request:
                    self._engine.intake.prepare(request)
                case asked:
                    self._engine.intake.tell(asked)


class Keeper(threading.Thread):
    """Has the engine tidy up now and then."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="keeper", daemon=True)
        self._engine = engine

    def run(self) -> None:
        while True:
            for _ in range(2):  # what is said once has to go within the same time, in two steps
                time.sleep(TIDY_SECONDS / 2)
                self._engine.intake.tidy()
            self._engine.tidy()


class Inbox(threading.Thread):
    """Reads what the web process sends, and never waits for a prompt: the next message
    may be a cancel.
    """

    def __init__(self, channel: Channel, on_end: Callable[[], object]) -> None:
        super().__init__(name="inbox", daemon=True)
        self._channel = channel
        self._on_end = on_end
        self.engine: Engine | Embedder | None = None

    def serve(self, engine: Engine | Embedder) -> None:
        self._desk = Desk(engine)
        self._desk.start()
        self.engine = engine

    def run(self) -> None:
        try:
            while message := self._channel.receive():
                match message:
                    case Submit(request) | Embed(request) if self.engine:
                        self._desk.submit(request)
                    case Go(id, max_tokens) if self.engine:
                        self.engine.intake.release(id, max_tokens)
                    case Cancel(id) if self.engine:
                        self.engine.cancel(id)
                    case Count() | Tokenize() | Detokenize() | Render() if self.engine:
                        self._desk.ask(message)
                    case Stop() if self.engine:
                        self.engine.stop()
                    case Stop():
                        break
        except Exception:
            logger.exception("cannot read what the web process sends")
        self._on_end()


def quit_now() -> NoReturn:
    os._exit(0)


def make_backend(config: EngineConfig, outbox: Outbox) -> Backend:
    if config.backend == "fake":
        from .fake import FakeBackend

        return FakeBackend(config)
    from .llama import LlamaBackend  # importing it loads the native library

    return LlamaBackend(config, outbox.send_progress)


def make_embed_backend(config: EngineConfig, outbox: Outbox) -> EmbedBackend:
    if config.backend == "fake":
        from .fake_embed import FakeEmbedBackend

        return FakeEmbedBackend(config)
    from .llama import LlamaEmbedBackend

    return LlamaEmbedBackend(config, outbox.send_progress)


def make_engine(config: EngineConfig, outbox: Outbox) -> Engine | Embedder:
    if config.task == "generate":
        return Engine(make_backend(config, outbox), outbox.send)
    return Embedder(make_embed_backend(config, outbox), outbox.send)


def serve(channel: Channel, start: Start) -> None:
    outbox, inbox = Outbox(channel), Inbox(channel, on_end=quit_now)
    logging.getLogger().setLevel(start.log_level)
    logging.getLogger().addHandler(WireHandler(outbox))
    inbox.start()
    try:
        engine = make_engine(start.config, outbox)
    except EngineError as error:
        outbox.send(Failure.of(error))
        return
    except Exception as error:
        logger.exception("loading failed")
        outbox.send(Failure.of(ModelLoadFailed(f"{start.config.path}: {error!r}")))
        return
    inbox.serve(engine)
    if isinstance(engine, Engine):
        Keeper(engine).start()
    outbox.send(Ready(engine.backend.info))
    engine.run()


def main(fd: int) -> None:
    # Ctrl-C and a service manager's SIGTERM reach the whole group; the web process
    # drains and then says Stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=fd))
    start = channel.receive()
    if isinstance(start, Start):
        serve(channel, start)


if __name__ == "__main__":
    main(int(sys.argv[1]))
