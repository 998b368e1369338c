"""Many people on the chat socket of one server process: how late their text is, and whether
all of it comes.

    make bench-sockets

The fake model writes the time, so the delay of every word is known: from its sampling in
the engine's process to its arrival here, by one machine's clock. Every piece's `seq` is
checked, and at the end each text is compared with the one in the database. With HTML, as
pages have it, `shown` is the delay until a word is in a rendered block.

All ask at the same moment, which is also measured; and at the end of the table, one after the
other.

Then one person stops answers that are being written, and `done` is waited for: with a crowd
beside that writes on, and without.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from statistics import quantiles

import psutil
import websockets

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.inference.gguf_maker import make_gguf  # noqa: E402
from tests.live.server import Server  # noqa: E402

# Signed in, as browsers are: everybody's own pages hear of their own conversations only.
SIGN_IN = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from accounts.models import User

keys = []
for number in range({number}):
    user = User.objects.create_user(f"person{{number}}")
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    keys.append(f"{{settings.SESSION_COOKIE_NAME}}={{session.session_key}}")
print(json.dumps(keys))
"""
HEADER = """\
| sockets | tokens a second | frames a second | delay p50 ms | p95 | p99 | shown p50 ms | p95 | lost | server CPU |
|---|---|---|---|---|---|---|---|---|---|"""  # noqa: E501
QUERIES = ("", "?html=1")
STOPS_HEADER = """
| stop to done | tries | p50 ms | p95 | p99 |
|---|---|---|---|---|"""


class People:
    """Who can open sockets, each by a cookie."""

    def __init__(self, server: Server, number: int) -> None:
        self._url = server.url
        code = SIGN_IN.format(number=number)
        told = server.manage("shell", "--no-imports", "-c", code)
        self._cookies: list[str] = json.loads(told.splitlines()[-1])

    def connect(self, number: int, query: str) -> websockets.connect:
        url = f"{self._url.replace('http', 'ws')}/ws/chat/{query}"
        return websockets.connect(
            url,
            origin=self._url,
            additional_headers={"Cookie": self._cookies[number]},
            max_size=None,
            ping_interval=None,
        )


class Reader:
    """One person's socket, and one answer on it."""

    def __init__(self, people: People, number: int, num_words: int, query: str) -> None:
        self._connect = people.connect(number, query)
        self._num_words = num_words
        self.text = ""
        self.delays: list[float] = []
        self.shown: list[float] = []
        self._num_shown = 0  # characters of the block: each answer is one
        self.num_frames = 0
        self.has_gap = False

    async def run(self, start: asyncio.Event, ready: asyncio.Semaphore, pause: float) -> None:
        async with self._connect as socket:
            ready.release()
            await start.wait()
            await asyncio.sleep(pause)
            text = " ".join(["now"] * self._num_words)
            await socket.send(json.dumps({"type": "send", "text": text}))
            async for raw in socket:
                frame = json.loads(raw)
                if self._is_last(frame):
                    self.message = frame["message"]
                    return

    def _is_last(self, frame: dict) -> bool:
        self.num_frames += 1
        if frame["type"] == "delta":
            self._take(frame["text"], frame["seq"], time.time())
        if frame["type"] == "block":
            self._see(frame["html"].removeprefix("<p>").removesuffix("</p>\n"), time.time())
        if frame["type"] == "error":
            raise RuntimeError(frame)
        return frame["type"] == "done"

    def _take(self, text: str, seq: int, now: float) -> None:
        self.text += text
        self.has_gap = self.has_gap or seq != len(self.text)
        self.delays += [now - float(word) for word in text.split()]

    def _see(self, text: str, now: float) -> None:
        self.shown += [now - float(word) for word in text[self._num_shown :].split()]
        self._num_shown = len(text)


async def crowd(
    server: Server,
    people: People,
    num_sockets: int,
    num_words: int,
    query: str,
    over: float = 0.0,
) -> str:
    """All at once, or one after the other within so many seconds."""
    process = psutil.Process(server.process.pid)
    start, ready = asyncio.Event(), asyncio.Semaphore(0)
    readers = [Reader(people, number, num_words, query) for number in range(num_sockets)]
    pauses = [over * number / num_sockets for number in range(num_sockets)]
    runs = (r.run(start, ready, pause) for r, pause in zip(readers, pauses, strict=True))
    tasks = [asyncio.create_task(run) for run in runs]
    for _ in readers:
        await ready.acquire()
    began, cpu = time.time(), sum(process.cpu_times()[:2])
    start.set()
    await asyncio.gather(*tasks)
    seconds, cpu = time.time() - began, sum(process.cpu_times()[:2]) - cpu
    kept = stored(server)
    lost = sum(reader.has_gap or kept[reader.message] != reader.text for reader in readers)
    cuts = cuts_of(delay for reader in readers for delay in reader.delays)
    shown = cuts_of(delay for reader in readers for delay in reader.shown) if query else None
    num_tokens = sum(len(reader.delays) for reader in readers)
    num_frames = sum(reader.num_frames for reader in readers)
    when = f", over {over:g} s" if over else ""
    return (
        f"| {num_sockets}{' with HTML' if query else ''}{when} | {num_tokens / seconds:.0f} |"
        f" {num_frames / seconds:.0f} | {cuts[49]:.0f} | {cuts[94]:.0f} | {cuts[98]:.0f} |"
        f" {f'{shown[49]:.0f} | {shown[94]:.0f}' if shown else '– | –'} |"
        f" {lost} | {cpu / seconds:.0%} |"
    )


def cuts_of(seconds: Iterable[float]) -> list[float]:
    """The 99 cuts between hundredths, in milliseconds."""
    return quantiles([one * 1e3 for one in seconds], n=100)


async def stops(people: People, num_tries: int, num_beside: int, query: str) -> str:
    """Answers are stopped that are being written, one after the other."""
    others = [people.connect(number, query) for number in range(1, num_beside + 1)]
    beside = [asyncio.create_task(write_on(other)) for other in others]
    times = []
    async with people.connect(0, query) as socket:
        for _ in range(num_tries):
            message = (await asked(socket, "delta"))["message"]
            stopped_at = time.perf_counter()
            await socket.send(json.dumps({"type": "stop", "message": message}))
            while (frame := await heard(socket, "done"))["message"] != message:
                pass
            times.append(time.perf_counter() - stopped_at)
            assert frame["status"] == "stopped", frame
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    cuts = cuts_of(times)
    what = f"{num_beside} others{', with HTML' if query else ''}"
    return f"| {what} | {num_tries} | {cuts[49]:.0f} | {cuts[94]:.0f} | {cuts[98]:.0f} |"


async def write_on(connect: websockets.connect) -> None:
    """One of the crowd: ever another answer, to the end."""
    async with connect as socket:
        while True:
            await asked(socket, "done")


async def asked(socket: websockets.ClientConnection, type: str) -> dict:
    """Ask for a long answer; the first frame of that type."""
    await socket.send(json.dumps({"type": "send", "text": " ".join(["now"] * 400)}))
    return await heard(socket, type)


async def heard(socket: websockets.ClientConnection, type: str) -> dict:
    async for raw in socket:
        frame = json.loads(raw)
        if frame["type"] == "error":
            raise RuntimeError(frame)
        if frame["type"] == type:
            return frame
    raise RuntimeError("the socket was closed")


def stored(server: Server) -> dict[str, str]:
    code = (
        "import json; from chat.models import Message; "
        "print(json.dumps({m.uid.hex: m.text for m in Message.objects.all()}))"
    )
    return json.loads(server.manage("shell", "--no-imports", "-c", code).splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, nargs="+", default=[1, 50, 200])
    parser.add_argument("--words", type=int, default=200, help="of each answer")
    parser.add_argument("--over", type=float, default=10.0, help="seconds, for the last rows")
    parser.add_argument("--stops", type=int, default=100, help="answers that are stopped")
    parser.add_argument("--beside", type=int, default=20, help="who write on meanwhile")
    parser.add_argument(
        "--step",
        type=float,
        nargs="+",
        default=[0.125, 0.05],
        help="seconds between two words of each, one table after the other",
    )
    options = parser.parse_args()
    for step in options.step:
        print(f"\nA word every {step * 1e3:g} ms\n\n{HEADER}", flush=True)
        with tempfile.TemporaryDirectory(prefix="llmsite-bench-") as folder:
            table(Path(folder), step, options)


def table(folder: Path, step: float, options: argparse.Namespace) -> None:
    gguf = folder / "tiny.gguf"
    make_gguf(gguf)
    server = Server(
        folder / "data",
        {"fake": gguf},
        settings="bench.fake_settings",
        FAKE_STEP_SECONDS=str(step),
        FAKE_SEQUENCES=str(min(256, max(options.sockets))),
        LLMSITE_SERVER__LOG_LEVEL="warning",
        LLMSITE_SECURITY__ENABLE_AUTH="true",
        LLMSITE_LIMITS__DEFAULT_RATE_LIMIT_PER_MINUTE="0",
    )
    try:
        server.start()
        people = People(server, max(*options.sockets, options.beside + 1))
        asyncio.run(crowd(server, people, 1, 10, ""))  # loads the model
        sizes = [(number, 0.0) for number in options.sockets]
        for (number, over), query in product(
            [*sizes, (options.sockets[-1], options.over)], QUERIES
        ):
            row = crowd(server, people, number, options.words, query, over)
            print(asyncio.run(row), flush=True)
        print(STOPS_HEADER, flush=True)
        for num_beside, query in product((0, options.beside), QUERIES):
            measured = stops(people, options.stops, num_beside, query)
            print(asyncio.run(measured), flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
