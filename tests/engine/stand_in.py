"""Engine hosts without processes: everything but the other end of the socket is real."""

import asyncio
from itertools import count

from inference.engine import wire
from inference.engine.config import EngineInfo
from inference.engine.errors import EngineStopped
from inference.engine.host import EngineHost
from inference.engine.request import FinishReason
from inference.engine.stats import Load, Timings, Usage
from inference.engine.wire import (
    HEADER,
    Accepted,
    Cancel,
    Count,
    Counted,
    Delta,
    Failure,
    Finish,
    Ready,
    Start,
    Step,
    Stop,
    Submit,
    encode,
)

MIB = 2**20
pids = count(1000)


async def settle(turns: int = 60) -> None:
    """Let all that can go on without anybody's doing go on."""
    for _ in range(turns):
        await asyncio.sleep(0)


class Clock:
    """Stands for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class World:
    """Makes the hosts of a pool, remembers them, and says how their engines behave."""

    def __init__(self) -> None:
        self.hosts: list[StandIn] = []
        self.memory_bytes: dict[str, int] = {}  # of a loaded model; else 100 MiB
        self.failures: dict[str, list[Exception]] = {}  # of the next loads
        self.slow_loads: set[str] = set()  # ready when the test says so
        self.frail: set[str] = set()  # dead as soon as they are ready
        self.answers_at_once = True

    def make_host(self, config, on_exit, on_progress):
        host = StandIn(self, config, on_exit, on_progress)
        self.hosts.append(host)
        return host

    @property
    def loads(self) -> list[str]:
        """The models that were loaded, in the order their loads began."""
        return [host.config.model_id for host in self.hosts]

    @property
    def alive(self) -> list[str]:
        return [host.config.model_id for host in self.hosts if host.is_alive]

    def last(self, model_id: str) -> "StandIn":
        return [host for host in self.hosts if host.config.model_id == model_id][-1]


class StandIn(EngineHost):
    def __init__(self, world: World, config, on_exit, on_progress) -> None:
        super().__init__(config, on_exit, on_progress)
        self.world = world
        self.requests: dict[int, str] = {}  # accepted and not answered
        self.num_answered = 0

    # What a test does with it

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    def become_ready(self) -> None:
        name = self.config.model_id
        self.reply(
            Ready(
                EngineInfo(
                    context_length=4096,
                    cache_tokens=4096,
                    max_sequences=8,
                    batch_tokens=512,
                    prefill_chunk_tokens=512,
                    num_slots=8,
                    memory_bytes=self.world.memory_bytes.get(name, 100 * MIB),
                    has_chat_template=True,
                    device="none",
                    build="none",
                )
            )
        )

    def answer_all(self) -> None:
        for id in list(self.requests):
            self._answer(id, FinishReason.STOP)

    def crash(self) -> None:
        self._exit(-9)

    def reply(self, message) -> None:
        self._reader.feed_data(encode(message))

    # The engine

    async def _spawn(self) -> None:
        self._process = _Process(self._exit)
        self._reader = asyncio.StreamReader()
        self._writer = _Writer(self._receive)
        self._send(Start(self.config))
        self._reading = asyncio.create_task(self._read())

    def _receive(self, message) -> None:
        match message:
            case Start(config):
                self._load(config.model_id)
            case Submit(request):
                self.requests[request.id] = request.text
                self.reply(Accepted(request.id, 1, 100))
                if self.world.answers_at_once:
                    self._answer(request.id, FinishReason.STOP)
            case Count(id, texts):
                self.reply(Counted(id, [len(text) for text in texts]))
            case Cancel(id) if id in self.requests:
                self._answer(id, FinishReason.CANCELLED)
            case Stop():
                for id in self.requests:
                    self.reply(Failure.of(EngineStopped("The engine stops."), id))
                self._exit(0)

    def _load(self, model_id: str) -> None:
        failures = self.world.failures.get(model_id)
        if failures:
            self.reply(Failure.of(failures.pop(0)))
            self._exit(0)
        elif model_id not in self.world.slow_loads:
            self.become_ready()
        if model_id in self.world.frail:
            self.crash()

    def _answer(self, id: int, reason: FinishReason) -> None:
        text = self.requests.pop(id)
        self.num_answered += 1
        finish = Finish(id, reason, Usage(1, 1), Timings(0, 0, 0))
        self.reply(Step([Delta(id, text, 1)], [finish], Load()))

    def _exit(self, status: int) -> None:
        if self._process.returncode is None:
            self._process.returncode = status
            self._reader.feed_eof()


class _Process:
    def __init__(self, exit) -> None:
        self.pid = next(pids)
        self.returncode = None
        self._exit = exit

    def kill(self) -> None:
        self._exit(-9)

    async def wait(self) -> int:
        return self.returncode


class _Writer:
    def __init__(self, receive) -> None:
        self._receive = receive
        self._is_closed = False

    def write(self, frame: bytes) -> None:
        self._receive(wire._to_engine.decode(frame[HEADER.size :]))

    def is_closing(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        self._is_closed = True
