"""The messages between the web process and an engine's process.

A frame is its length in four bytes, most significant first, and a MessagePack array.
"""

import logging
import socket
import struct
import threading
from typing import Any

import msgspec

from .config import EngineConfig, EngineInfo
from .embedding import EmbedRequest
from .errors import EngineError, restore_error
from .image import Image
from .logprobs import TokenLogprob
from .progress import Progress
from .request import FinishReason, Request, Trace
from .scores import PromptLogprob
from .stats import Load, SoFar, Timings, Usage

HEADER = struct.Struct("!I")
MAX_FRAME_BYTES = 256 * 2**20


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages."""


# To the engine


class Start(Message, frozen=True):
    """The first message: load this model, and send log lines from that level on."""

    config: EngineConfig
    log_level: int = logging.INFO


class Submit(Message, frozen=True):
    request: Request


class Embed(Message, frozen=True):
    request: EmbedRequest


class Go(Message, frozen=True):
    """Compute the held request, up to so many tokens of an answer."""

    id: int
    max_tokens: int


class Cancel(Message, frozen=True):
    id: int


class Count(Message, frozen=True):
    """Say how many tokens each of the texts has, or the prompt that messages make."""

    id: int
    texts: list[str] = []
    messages: list[dict[str, Any]] | None = None
    template_options: dict[str, Any] = {}
    system: str = ""
    images: list[Image] = []


class Tokenize(Message, frozen=True):
    """Say what tokens the text becomes; `add_special`: with the opening token of a prompt."""

    id: int
    text: str
    add_special: bool = True


class Detokenize(Message, frozen=True):
    """Write the tokens out, control tokens by their names."""

    id: int
    tokens: list[int]


class Render(Message, frozen=True):
    """Write the prompt that the messages make."""

    id: int
    messages: list[dict[str, Any]]
    template_options: dict[str, Any] = {}
    system: str = ""


class Stop(Message, frozen=True):
    """Fail what is left, free the model, and exit."""


# From the engine


class Loading(Message, frozen=True):
    """How much of the model has been read, 0 to 1."""

    progress: float


class Ready(Message, frozen=True):
    info: EngineInfo


class Failure(Message, frozen=True):
    """An error on its way; `id` 0 means the whole engine."""

    id: int
    name: str
    message: str
    param: str | None = None
    retry_after: float | None = None

    @classmethod
    def of(cls, error: EngineError, id: int = 0) -> "Failure":
        return cls(id, type(error).__name__, error.message, error.param, error.retry_after)

    def error(self) -> EngineError:
        return restore_error(self.name, self.message, self.param, self.retry_after)


class Accepted(Message, frozen=True):
    """The request waits or runs: from here on it ends with a Finish or a Failure.

    The tokens of the prompt are those that are to be paid: none where another of its group pays.
    `max_tokens` of an answer are asked for, or fit into the context. The messages whose
    indices are `dropped` are not in the prompt. With `opens_thinking` the template has
    begun the model's thoughts already: the answer comes without the tag.
    """

    id: int
    prompt_tokens: int
    max_tokens: int
    dropped: list[int] = []
    opens_thinking: bool = False


class Counted(Message, frozen=True):
    """One number for each text, or one for the messages."""

    id: int
    tokens: list[int]


class Tokenized(Message, frozen=True):
    """Each token, and what it is called."""

    id: int
    tokens: list[int]
    names: list[str]


class Written(Message, frozen=True):
    id: int
    text: str


class Delta(msgspec.Struct, frozen=True, array_like=True):
    """Text of one sequence, and the number of tokens that made it.

    `logprobs` are those of the tokens whose text is complete now, if it asks for them, and
    so is what it has cost `so_far`. `scores` are the prompt's, at the beginning.
    """

    id: int
    text: str
    tokens: int
    logprobs: list[TokenLogprob] | None = None
    so_far: SoFar | None = None
    scores: list[PromptLogprob] | None = None


class Finish(msgspec.Struct, frozen=True, array_like=True):
    """How a request ended; `matched` is the stop string that ended it, if one did.

    `trace` has the tokens of one that was computed alone.
    """

    id: int
    reason: FinishReason
    usage: Usage
    timings: Timings
    matched: str | None = None
    trace: Trace | None = None


class Step(Message, frozen=True):
    """What one step brought for all sequences together; no `load` says that it is unchanged.

    `progress` is by request id, of those where it has changed.
    """

    deltas: list[Delta]
    finished: list[Finish]
    load: Load | None = None
    progress: dict[int, Progress] | None = None


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Vectors of one request's next inputs; each in float32, the least significant byte first."""

    id: int
    vectors: list[bytes]


class Embedded(Message, frozen=True):
    """What one step brought for all requests together."""

    parts: list[Part]


class LogLine(Message, frozen=True):
    """A line for the web process's log, where all logs have one form."""

    level: int
    logger: str
    event: str
    request_id: str = ""


# What needs no sequence, and its answers.
Question = Count | Tokenize | Detokenize | Render
Told = Counted | Tokenized | Written
ToEngine = Start | Submit | Embed | Go | Cancel | Question | Stop
FromEngine = Loading | Ready | Failure | Accepted | Told | Step | Embedded | LogLine

_encoder = msgspec.msgpack.Encoder()
_to_engine = msgspec.msgpack.Decoder(ToEngine)
_from_engine = msgspec.msgpack.Decoder(FromEngine)


def encode(message: Message) -> bytes:
    """The whole frame.

    Raises:
        ValueError: if it would be larger than MAX_FRAME_BYTES.
    """
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"a message of {len(body)} bytes is too large for the engine")
    return HEADER.pack(len(body)) + body


def decode_from_engine(body: bytes) -> FromEngine:
    message: FromEngine = _from_engine.decode(body)
    return message


class Channel:
    """The engine's end of the socket: blocking, and safe to send on from any thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")
        self._sending = threading.Lock()

    def send(self, message: FromEngine) -> None:
        frame = encode(message)
        with self._sending:
            self._sock.sendall(frame)

    def receive(self) -> ToEngine | None:
        """The next message, or None once the web process is gone."""
        header = self._file.read(HEADER.size)
        if len(header) < HEADER.size:
            return None
        (size,) = HEADER.unpack(header)
        body = self._file.read(size)
        return _to_engine.decode(body) if len(body) == size else None
