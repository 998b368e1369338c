"""Many people on the chat socket of one server process: how late their text is, and whether
all of it comes.

    make bench-sockets

The fake model writes the time, so the delay of every word is known: from its sampling in
the engine's process to its arrival here, by one machine's clock. Every piece's `seq` is
checked, and at the end each text is compared with the one in the database.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

import psutil
import websockets

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.inference.gguf_maker import make_gguf  # noqa: E402
from tests.live.server import Server  # noqa: E402

HEADER = """\
| sockets | tokens a second | frames a second | delay p50 ms | p95 | p99 | lost | server CPU |
|---|---|---|---|---|---|---|---|"""


class Reader:
    """One person's socket, and one answer on it."""

    def __init__(self, url: str, num_words: int, query: str) -> None:
        self._url = f"{url.replace('http', 'ws')}/ws/chat/{query}"
        self._num_words = num_words
        self.text = ""
        self.delays: list[float] = []
        self.num_frames = 0
        self.has_gap = False

    async def run(self, start: asyncio.Event, ready: asyncio.Semaphore) -> None:
        async with websockets.connect(self._url, max_size=None, ping_interval=None) as socket:
            ready.release()
            await start.wait()
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
        if frame["type"] == "error":
            raise RuntimeError(frame)
        return frame["type"] == "done"

    def _take(self, text: str, seq: int, now: float) -> None:
        self.text += text
        self.has_gap = self.has_gap or seq != len(self.text)
        self.delays += [now - float(word) for word in text.split()]


async def crowd(server: Server, num_sockets: int, num_words: int, query: str) -> str:
    process = psutil.Process(server.process.pid)
    start, ready = asyncio.Event(), asyncio.Semaphore(0)
    readers = [Reader(server.url, num_words, query) for _ in range(num_sockets)]
    tasks = [asyncio.create_task(reader.run(start, ready)) for reader in readers]
    for _ in readers:
        await ready.acquire()
    began, cpu = time.time(), sum(process.cpu_times()[:2])
    start.set()
    await asyncio.gather(*tasks)
    seconds, cpu = time.time() - began, sum(process.cpu_times()[:2]) - cpu
    kept = stored(server)
    lost = sum(reader.has_gap or kept[reader.message] != reader.text for reader in readers)
    cuts = quantiles([delay * 1e3 for reader in readers for delay in reader.delays], n=100)
    num_tokens = sum(len(reader.delays) for reader in readers)
    num_frames = sum(reader.num_frames for reader in readers)
    return (
        f"| {num_sockets}{' with HTML' if query else ''} | {num_tokens / seconds:.0f} |"
        f" {num_frames / seconds:.0f} | {cuts[49]:.0f} | {cuts[94]:.0f} | {cuts[98]:.0f} |"
        f" {lost} | {cpu / seconds:.0%} |"
    )


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
    parser.add_argument("--step", type=float, default=0.05, help="seconds between two words")
    options = parser.parse_args()
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory(prefix="llmsite-bench-") as folder:
        gguf = Path(folder, "tiny.gguf")
        make_gguf(gguf)
        server = Server(
            Path(folder, "data"),
            {"fake": gguf},
            settings="bench.fake_settings",
            FAKE_STEP_SECONDS=str(options.step),
            FAKE_SEQUENCES=str(min(256, max(options.sockets))),
            LLMSITE_SERVER__LOG_LEVEL="warning",
        )
        try:
            server.start()
            asyncio.run(crowd(server, 1, 10, ""))  # loads the model
            for num_sockets in options.sockets:
                print(asyncio.run(crowd(server, num_sockets, options.words, "")), flush=True)
            most = max(options.sockets)
            print(asyncio.run(crowd(server, most, options.words, "?html=1")), flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
