"""Text that is told while the device computes the next step."""

import msgspec
import pytest

from inference.engine.engine import Engine
from inference.engine.grammar import Grammar
from inference.engine.request import FinishReason
from inference.engine.wire import Failure, Step

from .test_engine import Backend, Bench

WORDS = "a b c d e f"


class AsyncBackend(Backend):
    """Says in `computed` what had been sent before each step was done, and after."""

    def __init__(self, config):
        super().__init__(config)
        self.info = msgspec.structs.replace(self.info, is_async=True)


class AsyncBench(Bench):
    def __init__(self, **config):
        super().__init__(**config)
        self.backend = AsyncBackend(self.backend.config)
        self.engine = Engine(self.backend, self.sent.append, lambda: self.backend.now)


def texts(bench):
    told = {}
    for step in bench.of(Step):
        for delta in step.deltas:
            told[delta.id] = told.get(delta.id, "") + delta.text
    return told


def ends(bench):
    """Reason, usage, the stop string and how many tokens were told."""
    tokens = {}
    for step in bench.of(Step):
        for delta in step.deltas:
            tokens[delta.id] = tokens.get(delta.id, 0) + delta.tokens
    return {
        f.id: (f.reason, f.usage, f.matched, tokens[f.id])
        for step in bench.of(Step)
        for f in step.finished
    }


REQUESTS = {
    "plain": {"text": WORDS},
    "limit": {"text": WORDS, "max_tokens": 3},
    "stop string": {"text": WORDS, "stop": ["c d"]},
    "stop token": {"text": WORDS, "stop_token_ids": [3]},
    "logprobs": {"text": WORDS, "num_logprobs": 2},
    "form": {"text": WORDS, "grammar": Grammar("regex", "[xy]{3}", "p")},
    "thoughts": {"text": f"<think> {WORDS} </think> x", "thinking_budget_tokens": 2},
    "least": {"text": WORDS, "min_tokens": 8, "ignore_eos": False},
}


@pytest.mark.parametrize("speculation", ["off", "on"])
def test_nothing_is_told_otherwise_than_without_it(speculation):
    told = []
    for kind in (Bench, AsyncBench):
        bench = kind(speculation=speculation)
        for fields in REQUESTS.values():
            bench.submit(**fields)
        bench.finish()
        logprobs = [d.logprobs for step in bench.of(Step) for d in step.deltas if d.logprobs]
        told.append((texts(bench), ends(bench), logprobs))
    assert told[0] == told[1]
    assert len(told[0][1]) == len(REQUESTS)


def test_it_is_told_during_the_next_step():
    bench = AsyncBench()
    id = bench.submit(text=WORDS)
    bench.step(2)
    assert texts(bench) == {id: "a "}, "the first is told at once"
    seen = []
    compute = bench.backend._samples
    bench.backend._samples = lambda work: seen.append(texts(bench)) or compute(work)
    bench.step()
    assert seen == [{id: "a b "}]


def test_the_last_is_told_at_once():
    bench = AsyncBench()
    id = bench.submit(text=WORDS, max_tokens=1)
    bench.step()
    assert texts(bench) == {id: "a "}
    assert ends(bench)[id][0] is FinishReason.LENGTH


def test_with_the_last_of_one_all_is_told():
    bench = AsyncBench()
    other = bench.submit(text=WORDS)
    id = bench.submit(text="x y", max_tokens=3, ignore_eos=True)
    bench.step(3)
    assert ends(bench)[id][0] is FinishReason.LENGTH
    assert texts(bench) == {other: "a b c ", id: "x y x "}


def test_who_leaves_gets_what_was_written():
    bench = AsyncBench()
    bench.submit(text=WORDS)
    id = bench.submit(text="x y")
    bench.step(2)
    bench.engine.cancel(id)
    bench.step()
    assert texts(bench)[id] == "x y "
    assert ends(bench)[id][0] is FinishReason.CANCELLED


def test_a_failing_step_loses_nothing_of_those_before():
    bench = AsyncBench()
    id = bench.submit(text="a b fail")
    bench.step(2)
    assert texts(bench) == {id: "a "}
    with pytest.raises(Exception, match="told to fail") as failed:
        bench.step()
    bench.engine._fail_running(failed.value)
    assert texts(bench) == {id: "a b "}
    assert isinstance(bench.sent[-2], Failure)


def test_a_stop_loses_nothing():
    bench = AsyncBench()
    id = bench.submit(text=WORDS)
    bench.step()
    bench.run()
    assert texts(bench) == {id: "a b "}
    [failure] = bench.of(Failure)
    assert bench.sent.index(failure) > max(
        n for n, message in enumerate(bench.sent) if isinstance(message, Step) and message.deltas
    )
