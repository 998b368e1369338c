"""The loop of a model that makes vectors, turned by hand."""

import numpy as np
import pytest

from inference.engine.config import EngineConfig
from inference.engine.embedder import MAX_INPUTS, Embedder
from inference.engine.embedding import EmbedRequest
from inference.engine.errors import DecodeFailed, EngineError, EngineStopped, QueueFull
from inference.engine.fake_embed import LENGTH, FakeEmbedBackend
from inference.engine.request import FinishReason
from inference.engine.stats import Load, Timings, Usage
from inference.engine.wire import Accepted, Count, Counted, Embedded, Failure, Step


class Backend(FakeEmbedBackend):
    """Each step takes one second of the clock."""

    now = 0.0
    is_closed = False

    def embed(self, inputs):
        self.now += 1
        return super().embed(inputs)

    def close(self):
        self.is_closed = True


class Bench:
    """An embedder, and all it has sent."""

    def __init__(self, **config):
        config = {"task": "embed", "backend": "fake", **config}
        self.backend = Backend(EngineConfig(model_id="m", path="", **config))
        self.sent = []
        self.embedder = Embedder(self.backend, self.sent.append, lambda: self.backend.now)

    def ask(self, id, *texts, **fields):
        self.embedder.submit(EmbedRequest(id=id, texts=[*texts], **fields))

    def turn(self):
        self.embedder._receive(block=False)
        self.embedder.step()

    def turn_until_idle(self):
        self.turn()
        while self.embedder._jobs:
            self.turn()

    def vectors(self, id):
        parts = [part for m in self.sent if isinstance(m, Embedded) for part in m.parts]
        mine = [vector for part in parts if part.id == id for vector in part.vectors]
        return np.array([np.frombuffer(vector, "<f4") for vector in mine])

    def finish(self, id):
        [found] = [f for m in self.sent if isinstance(m, Step) for f in m.finished if f.id == id]
        return found

    def failure(self, id):
        [found] = [m for m in self.sent if isinstance(m, Failure) and m.id == id]
        return found.error()

    def embed(self, *texts, **fields):
        self.ask(1, *texts, **fields)
        self.turn_until_idle()
        return self.vectors(1)


@pytest.fixture
def bench():
    return Bench()


def test_a_request_is_accepted_computed_and_finished(bench):
    bench.ask(7, "a b", "c")
    assert bench.sent == [Accepted(7, 3, 0)]
    bench.turn()
    assert bench.vectors(7).shape == (2, LENGTH)
    assert bench.finish(7).reason is FinishReason.STOP
    assert bench.finish(7).usage == Usage(3, 0)
    assert bench.finish(7).timings == Timings(0, 1, 0)


def test_vectors_are_of_unit_length_and_the_same_text_has_the_same(bench):
    vectors = bench.embed("a b", "c", "a b")
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert (vectors[0] == vectors[2]).all()
    assert not (vectors[0] == vectors[1]).all()


def test_fewer_dimensions_are_the_first_ones_made_unit_length():
    whole, short = Bench().embed("a b"), Bench().embed("a b", dimensions=3)
    assert short.shape == (1, 3)
    assert short[0] == pytest.approx(whole[0][:3] / np.linalg.norm(whole[0][:3]))


def test_more_dimensions_than_there_are_is_refused(bench):
    bench.ask(1, "a", dimensions=LENGTH + 1)
    error = bench.failure(1)
    assert error.param == "dimensions"
    assert error.message == "dimensions: 9 is more than the 8 that this model makes"


def test_a_batch_is_what_each_would_be_alone():
    texts = [f"a{i} b c{i % 3}" for i in range(3 * MAX_INPUTS)]
    together = Bench().embed(*texts)
    alone = np.concatenate([Bench().embed(text) for text in texts])
    assert (together == alone).all()


def test_steps_are_bounded_by_inputs_and_by_tokens():
    bench = Bench(batch_tokens=10)
    bench.embed(*["a b c d"] * 5)
    assert [len(step) for step in bench.backend.steps] == [2, 2, 1]
    bench = Bench()
    bench.embed(*["a"] * (MAX_INPUTS + 1))
    assert [len(step) for step in bench.backend.steps] == [MAX_INPUTS, 1]


def test_a_request_that_comes_later_is_not_behind_a_large_one():
    bench = Bench(batch_tokens=10)
    bench.ask(1, *["a b c d e"] * 100)
    bench.turn()
    bench.ask(2, "a b c")
    bench.turn()
    assert bench.finish(2).reason is FinishReason.STOP
    assert len(bench.vectors(1)) == 3


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"texts": ["a", "b c d e f"]}, "input[1]", "it has 5 tokens, and this model reads 4"),
        ({"texts": ["a", " "]}, "input[1]", "' ' has no tokens of its own"),
        ({"tokens": [[1], [999]]}, "input[1]", "999 is not a token of this model"),
        ({"tokens": [[]]}, "input[0]", "[] has no tokens of its own"),
        ({"texts": ["a b c d"], "query": "a"}, "documents[0]", "it has 6 tokens"),
    ],
)
def test_an_input_that_cannot_be_read_is_named(fields, param, message):
    bench = Bench(context_length=4)
    bench.backend.tokenize("a")
    bench.embedder.submit(EmbedRequest(id=1, **fields))
    error = bench.failure(1)
    assert error.param == param
    assert error.message.startswith(f"{param}: {message}")


def test_a_refused_request_gives_its_seat_back():
    bench = Bench(max_sequences=1, max_waiting=0)
    bench.ask(1, "")
    bench.ask(2, "a")
    bench.ask(3, "a")
    assert isinstance(bench.failure(3), QueueFull)
    bench.turn_until_idle()
    bench.ask(4, "a")
    bench.turn_until_idle()
    assert bench.finish(4).reason is FinishReason.STOP


def test_a_held_request_waits_for_its_release(bench):
    bench.ask(1, "a", is_held=True)
    bench.turn()
    assert bench.backend.steps == []
    bench.embedder.intake.release(1, 0)
    bench.turn()
    assert len(bench.vectors(1)) == 1


def test_a_cancelled_request_costs_what_was_computed():
    bench = Bench(batch_tokens=4, max_sequences=2)
    bench.ask(1, *["a b"] * 10)
    bench.turn()
    bench.embedder.cancel(1)
    bench.turn()
    assert bench.finish(1).reason is FinishReason.CANCELLED
    assert bench.finish(1).usage == Usage(4, 0)
    assert len(bench.backend.steps) == 1


def test_a_request_may_be_cancelled_while_it_is_held(bench):
    bench.ask(1, "a", is_held=True)
    bench.embedder.cancel(1)
    assert bench.finish(1).reason is FinishReason.CANCELLED


def test_a_step_that_fails_takes_only_those_along_who_were_in_it(bench):
    bench.ask(1, "a fail")
    bench.turn()
    bench.ask(2, "b")
    bench.turn()
    assert isinstance(bench.failure(1), DecodeFailed)
    assert bench.finish(2).reason is FinishReason.STOP


def test_a_bug_is_told_in_the_log_only(bench, monkeypatch, caplog):
    monkeypatch.setattr(bench.backend, "embed", lambda inputs: 1 / 0)
    bench.ask(1, "a")
    bench.turn()
    assert type(bench.failure(1)) is EngineError
    assert "ZeroDivisionError" in caplog.text


def test_numbers_that_are_not_finite_are_a_failure(bench, monkeypatch):
    monkeypatch.setattr(bench.backend, "embed", lambda inputs: [np.array([np.nan, 1])])
    bench.ask(1, "a")
    bench.turn()
    assert isinstance(bench.failure(1), DecodeFailed)


def test_what_is_left_at_the_end_fails(bench):
    bench.ask(1, *["a"] * 200)
    bench.embedder.stop()
    bench.embedder.run()
    assert isinstance(bench.failure(1), EngineStopped)
    assert bench.backend.is_closed


def test_it_says_how_busy_it_is():
    bench = Bench(batch_tokens=1, max_sequences=1)
    bench.ask(1, "a")
    bench.ask(2, "b")
    bench.turn()
    [step] = [m for m in bench.sent if isinstance(m, Step)]
    assert step.load == Load(running=1)


def test_texts_are_counted(bench):
    bench.embedder.intake.tell(Count(5, ["a b", ""]))
    assert bench.sent == [Counted(5, [2, 0])]


def test_documents_are_judged_by_a_query():
    bench = Bench(task="rerank")
    scores = bench.embed("x b", "a b", "c", query="a b")
    assert scores.tolist() == [[0.5], [1.0], [0.0]]
