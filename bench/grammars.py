"""What constrained answers cost those beside them: `python bench/grammars.py MODEL.gguf`.

Eight answers are written at once, on one thread; first none of them has a form, then four
have. Time is the process's own, so that a busy machine hardly matters.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from inference.engine.config import EngineConfig  # noqa: E402
from inference.engine.engine import Engine  # noqa: E402
from inference.engine.grammar import Grammar  # noqa: E402
from inference.engine.llama import LlamaBackend  # noqa: E402
from inference.engine.request import Request  # noqa: E402
from inference.engine.sampling import SamplingParams  # noqa: E402

STREAMS = 8
CONSTRAINED = 4
TOKENS = 48
ROUNDS = 8
SCHEMA = {
    "type": "object",
    "properties": {
        "steps": {"type": "array", "items": {"type": "string"}, "minItems": 50},
        "answer": {"type": "string"},
    },
    "required": ["steps", "answer"],
    "additionalProperties": False,
}
FORM = Grammar("json_schema", json.dumps(SCHEMA), "json_schema")


def step_ms(engine: Engine, num_constrained: int, first_id: int) -> float:
    """Milliseconds of the median step in which all of them write."""
    for number in range(STREAMS):
        grammar = FORM if number < num_constrained else None
        params = SamplingParams(max_tokens=TOKENS, ignore_eos=True, grammar=grammar, seed=number)
        text = f"{number} ways to cook an egg:"
        engine.submit(Request(id=first_id + number, text=text, params=params))
    times = []
    engine._receive(block=True)
    while not engine.scheduler.is_idle:
        is_full = sum(s.is_decoding for s in engine.scheduler.running) == STREAMS
        started = time.process_time()
        engine.step()
        if is_full:
            times.append(time.process_time() - started)
    return statistics.median(times) * 1e3


def main(path: str) -> None:
    config = EngineConfig(
        model_id="m",
        path=path,
        device="cpu",
        threads=1,
        state_dir=tempfile.gettempdir(),
        max_sequences=STREAMS,
    )
    engine = Engine(LlamaBackend(config, lambda progress: None), lambda message: None)
    step_ms(engine, CONSTRAINED, 1)  # the grammar is compiled, the weights are warm
    free, mixed = [], []
    for number in range(1, ROUNDS + 1):
        free.append(step_ms(engine, 0, number * 1000))
        mixed.append(step_ms(engine, CONSTRAINED, number * 1000 + 500))
    before, after = statistics.median(free), statistics.median(mixed)
    print(f"{STREAMS} free: {before:.2f} ms a step")
    print(f"{STREAMS - CONSTRAINED} free, {CONSTRAINED} constrained: {after:.2f} ms a step")
    print(f"slower by {(after / before - 1) * 100:.1f} %")


if __name__ == "__main__":
    main(sys.argv[1])
