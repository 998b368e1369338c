"""What choosing tokens costs, on the host and in the model's graph: `python bench/sampling.py
MODEL.gguf`, best on a GPU.

The engine alone, without HTTP or a process of its own. So many requests at a time as the
table's first column says, each with a prompt of its own; when one has its answer, the next is
asked. `own` is what passes outside of llama_decode (waited for until its device is done), a
token: the engine's Python, and on the host the choice among all logits.
"""

import argparse
import itertools
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from inference.engine.config import EngineConfig  # noqa: E402
from inference.engine.engine import Engine  # noqa: E402
from inference.engine.llama import LlamaBackend  # noqa: E402
from inference.engine.llama.library import llama  # noqa: E402
from inference.engine.request import Request  # noqa: E402
from inference.engine.sampling import SamplingParams  # noqa: E402
from inference.engine.wire import Failure, Step  # noqa: E402

LEAST_REQUESTS = 8  # of a row; otherwise two rounds
TEXT_TOKENS = range(1000, 30000)  # ordinary ones


class Stopwatch:
    """Times llama_decode, and what its device still has to do then."""

    def __init__(self) -> None:
        self.seconds, self.num_steps = 0.0, 0
        self._decode = llama.llama_decode
        llama.llama_decode = self._timed

    def _timed(self, context: Any, batch: Any) -> int:
        started = time.perf_counter()
        status: int = self._decode(context, batch)
        llama.llama_synchronize(context)
        self.seconds += time.perf_counter() - started
        self.num_steps += 1
        return status

    def reset(self) -> None:
        self.seconds, self.num_steps = 0.0, 0


class Load:
    """Keeps so many requests under way until `total` have finished."""

    def __init__(self, engine: Engine, requests: Iterator[Request]) -> None:
        self._engine, self._requests = engine, requests
        self._left = self._to_ask = self._num_tokens = 0
        self._failure: Failure | None = None
        self._done = threading.Event()

    def run(self, concurrent: int, total: int) -> int:
        """The tokens that were written."""
        self._left, self._num_tokens = total, 0
        self._to_ask = total - concurrent
        self._done.clear()
        for _ in range(concurrent):
            self._engine.submit(next(self._requests))
        self._done.wait()
        if self._failure:
            sys.exit(f"a request failed: {self._failure}")
        return self._num_tokens

    def hear(self, message: Any) -> None:
        match message:
            case Step():
                for finish in message.finished:
                    self._num_tokens += finish.usage.completion_tokens
                    self._finish()
            case Failure():
                self._failure = message
                self._done.set()

    def _finish(self) -> None:
        self._left -= 1
        if self._to_ask > 0:
            self._to_ask -= 1
            self._engine.submit(next(self._requests))
        if not self._left:
            self._done.set()


def requests(num_prompt: int, num_answer: int, size: int) -> Iterator[Request]:
    dice = random.Random(0)
    tokens = TEXT_TOKENS if size > TEXT_TOKENS.stop else range(size // 2, size)
    for number in itertools.count(1):
        params = SamplingParams(
            temperature=0.8, max_tokens=num_answer, ignore_eos=True, seed=number
        )
        yield Request(id=number, tokens=dice.choices(tokens, k=num_prompt), params=params)


def measure(path: str, sampling: Any, options: argparse.Namespace) -> None:
    most = max(options.concurrent)
    length = options.prompt + options.answer
    config = EngineConfig(
        model_id="m",
        path=path,
        sampling=sampling,
        threads=options.threads,
        state_dir=tempfile.gettempdir(),
        max_sequences=most,
        context_length=length + 32,
        cache_tokens=most * (length + 32),
    )
    backend = LlamaBackend(config, lambda progress: None)
    heard: list[Load] = []
    engine = Engine(backend, lambda message: heard[0].hear(message))
    load = Load(engine, requests(options.prompt, options.answer, backend._vocabulary.size))
    heard.append(load)
    thread = threading.Thread(target=engine.run, daemon=True)
    thread.start()
    load.run(most, most)  # everything has been computed once
    watch = Stopwatch()
    for concurrent in options.concurrent:
        watch.reset()
        started = time.perf_counter()
        num_tokens = load.run(concurrent, max(2 * concurrent, LEAST_REQUESTS))
        took = time.perf_counter() - started
        own = (took - watch.seconds) / num_tokens * 1e6
        step = took / watch.num_steps * 1e3
        row = f"{concurrent} | {sampling} | {num_tokens / took:.0f} | {step:.2f} | {own:.0f}"
        print(f"| {row} |", flush=True)
    llama.llama_decode = watch._decode
    engine.stop()
    thread.join()


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description="Tokens a second, by where they are chosen.")
    parser.add_argument("model")
    parser.add_argument("--paths", default="host,attached,auto", type=lambda text: text.split(","))
    parser.add_argument("--concurrent", default=[1, 2, 4, 8, 32, 64], type=numbers)
    parser.add_argument("--prompt", default=256, type=int, help="tokens")
    parser.add_argument("--answer", default=128, type=int, help="tokens")
    parser.add_argument("--threads", default=0, type=int)
    options = parser.parse_args()
    print("| concurrent | sampling | tokens a second | ms a step | own us a token |")
    print("|---|---|---|---|---|")
    for path in options.paths:
        measure(options.model, path, options)


if __name__ == "__main__":
    main()
