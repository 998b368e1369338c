import logging

import msgspec
import pytest

from inference.engine.backend import nothing
from inference.engine.config import EngineConfig
from inference.engine.engine import Engine
from inference.engine.errors import (
    DecodeFailed,
    EngineError,
    EngineStopped,
    InvalidParameter,
    PromptTooLong,
    QueueFull,
    TemplateError,
)
from inference.engine.fake import END, FakeBackend
from inference.engine.intake import RETRY_AFTER_SECONDS
from inference.engine.progress import Progress
from inference.engine.request import FinishReason, Request
from inference.engine.sampling import SamplingParams
from inference.engine.stats import Load, Timings, Usage
from inference.engine.wire import Accepted, Failure, Step


class Backend(FakeBackend):
    """Each step takes one second of the clock; `begun` and `ended` keep the sequences' ids."""

    def __init__(self, config):
        super().__init__(config)
        self.now = 0.0
        self.begun, self.ended = [], []
        self.num_clears = 0
        self.is_closed = False

    def forward(self, works, meanwhile=nothing):
        self.now += 1
        return super().forward(works, meanwhile)

    def begin(self, sequence):
        self.begun.append(sequence.id)
        super().begin(sequence)

    def end(self, sequence):
        self.ended.append(sequence.id)
        super().end(sequence)

    def clear(self):
        self.num_clears += 1

    def close(self):
        self.is_closed = True


class Bench:
    """An engine that is turned by hand, and all it has sent."""

    def __init__(self, **config):
        self.backend = Backend(EngineConfig(model_id="m", path="", backend="fake", **config))
        self.sent = []
        self.engine = Engine(self.backend, self.sent.append, lambda: self.backend.now)
        self._next_id = 0

    def submit(
        self,
        text=None,
        tokens=None,
        messages=None,
        with_progress=False,
        group=None,
        is_billed=True,
        lead="",
        prefix="",
        **params,
    ):
        self._next_id += 1
        params = SamplingParams(**params)
        fields = {"text": text, "tokens": tokens, "messages": messages, "params": params}
        fields |= {"with_progress": with_progress, "group": group, "is_billed": is_billed}
        fields |= {"lead": lead, "prefix": prefix}
        self.engine.submit(Request(id=self._next_id, **fields))
        return self._next_id

    def step(self, times=1):
        """What the engine's thread does in a turn."""
        for _ in range(times):
            self.engine._receive(block=False)
            self.engine.step()

    def finish(self):
        """Until nothing is left to compute."""
        self.step()
        for _ in range(1000):
            if self.engine.scheduler.is_idle:
                return
            self.step()
        raise AssertionError("the engine does not come to an end")

    def run(self):
        """The loop itself, which takes its mail, does one step, and stops."""
        self.engine.stop()
        self.engine.run()

    def of(self, kind):
        return [message for message in self.sent if isinstance(message, kind)]

    @property
    def steps(self):
        return self.of(Step)

    def text(self, id):
        return "".join(d.text for step in self.steps for d in step.deltas if d.id == id)

    def tokens(self, id):
        return sum(d.tokens for step in self.steps for d in step.deltas if d.id == id)

    def ending(self, id):
        (finish,) = [f for step in self.steps for f in step.finished if f.id == id]
        return finish

    def progress(self, id):
        told = [step.progress for step in self.steps if step.progress]
        return [progress[id] for progress in told if id in progress]

    def error(self, id):
        (failure,) = [failure for failure in self.of(Failure) if failure.id == id]
        return failure.error()

    def is_empty(self):
        """Nothing is left of anybody: no place, no cell but idle ones, no seat, no sampler."""
        scheduler = self.engine.scheduler
        return (
            scheduler.is_idle
            and scheduler.cache.num_free == scheduler.cache.num_cells
            and not self.engine._sequences
            and self.engine.intake._seats.num_taken == 0
            and self.engine.load == Load()
        )


def counted(num_words, name="w"):
    return " ".join(f"{name}{number}" for number in range(num_words))


# Answers


def test_an_answer_is_accepted_streamed_and_finished():
    bench = Bench()
    id = bench.submit("a b c")

    bench.finish()

    assert bench.sent[0] == Accepted(id, 3, 4093)
    assert bench.text(id) == "a b c "
    assert bench.ending(id).reason is FinishReason.STOP
    assert bench.is_empty()
    assert bench.backend.ended == bench.backend.begun == [id]


def test_messages_are_rendered_and_answered():
    bench = Bench()
    id = bench.submit(messages=[{"role": "user", "content": "a b"}])

    bench.finish()

    assert bench.text(id) == "a b "


def test_tokens_are_taken_as_they_are():
    bench = Bench()
    tokens = bench.backend.tokenize("a b c")
    id = bench.submit(tokens=tokens)

    bench.finish()

    assert bench.text(id) == "a b c "


def test_eight_sequences_make_progress_together():
    bench = Bench(max_sequences=8)
    ids = [bench.submit(counted(4, name)) for name in "abcdefgh"]
    bench.step()

    for number in range(1, 5):
        assert [bench.tokens(id) for id in ids] == [number] * 8
        bench.step()
    assert [bench.text(id) for id in ids] == [f"{n}0 {n}1 {n}2 {n}3 " for n in "abcdefgh"]
    assert bench.is_empty()


def test_several_answers_begin_with_the_cells_of_one_prompt():
    bench = Bench()
    first, *others = [bench.submit("a b c d", group=7) for _ in range(3)]

    bench.finish()

    assert [bench.text(id) for id in (first, *others)] == ["a b c d "] * 3
    assert [copied[2:] for copied in bench.backend.copied][:2] == [(0, 3), (0, 3)]
    assert sum(len(work.tokens) for batch in bench.backend.batches for work in batch) == (
        4 + 4 + 2 * (1 + 4)  # a prompt, an answer but for its end; the last word and an answer
    )
    assert bench.is_empty()


def test_the_prompt_of_several_answers_is_billed_once():
    bench = Bench()
    first, other = (bench.submit("a b", group=7, is_billed=pays) for pays in (True, False))

    bench.finish()

    assert [accepted.prompt_tokens for accepted in bench.of(Accepted)] == [2, 0]
    assert bench.ending(first).usage == Usage(2, 3)
    assert bench.ending(other).usage == Usage(0, 3)


def test_of_several_answers_one_can_be_cancelled():
    bench = Bench()
    first, other, third = (bench.submit("a b c d", group=7) for _ in range(3))
    bench.step(2)

    bench.engine.cancel(first)
    bench.finish()

    assert bench.ending(first).reason is FinishReason.CANCELLED
    assert [bench.text(id) for id in (other, third)] == ["a b c d "] * 2
    assert bench.is_empty()


def test_one_message_per_step_carries_all_sequences():
    bench = Bench(max_sequences=8)
    for name in "abcdefgh":
        bench.submit(counted(4, name))
    num_before = len(bench.sent)

    bench.step()

    (step,) = bench.sent[num_before:]
    assert [delta.id for delta in step.deltas] == list(range(1, 9))
    bench.finish()
    assert len(bench.steps) == len(bench.backend.batches) == 5
    assert [finish.id for finish in bench.steps[-1].finished] == list(range(1, 9))


def test_more_than_fit_at_once_are_all_answered():
    bench = Bench(max_sequences=2)
    ids = [bench.submit(counted(5, name)) for name in "abcdefg"]

    bench.finish()

    assert [bench.text(id) for id in ids] == [f"{counted(5, name)} " for name in "abcdefg"]
    assert max(len(batch) for batch in bench.backend.batches) == 2


def test_a_long_prompt_is_chunked_between_decodes():
    bench = Bench(batch_tokens=32, prefill_chunk_tokens=4)
    quick = bench.submit(counted(10))
    bench.step()
    slow = bench.submit(counted(12, "long"))

    for num_computed in (4, 8, 12):
        bench.step()
        (decode, chunk) = bench.backend.batches[-1]
        assert (decode.sequence.id, len(decode.tokens)) == (quick, 1)
        assert (chunk.sequence.id, len(chunk.tokens)) == (slow, 4)
        assert chunk.sequence.num_computed == num_computed
    assert bench.tokens(quick) == 4
    assert bench.tokens(slow) == 1


def test_a_long_prompt_alone_takes_whole_batches():
    bench = Bench(batch_tokens=32, prefill_chunk_tokens=4)
    bench.submit(counted(80))

    bench.step(3)

    assert [len(work.tokens) for (work,) in bench.backend.batches] == [32, 32, 16]


def test_each_step_says_how_busy_the_engine_is():
    bench = Bench(max_sequences=1, batch_tokens=4, prefill_chunk_tokens=4)
    bench.submit(counted(8))
    bench.submit(counted(8))

    bench.step()

    assert bench.sent[-1] == Step([], [], Load(running=1, waiting=1, cells=8))
    bench.finish()
    assert bench.sent[-1].load == Load()


def test_a_turn_without_work_sends_nothing():
    bench = Bench()

    bench.step(3)

    assert bench.sent == []


# The end of an answer


def test_a_stop_string_ends_the_answer_before_it():
    bench = Bench()
    id = bench.submit("a b c d", stop=("c",))

    bench.finish()

    assert bench.text(id) == "a b "
    assert bench.ending(id).reason is FinishReason.STOP
    assert bench.ending(id).usage.completion_tokens == 3


def test_whoever_asks_is_told_which_stop_string_it_was():
    bench = Bench()
    by_text = bench.submit("a b c d", stop=("x", "c"))
    by_itself = bench.submit("a b c", stop=("x",))

    bench.finish()

    assert [bench.ending(id).matched for id in (by_text, by_itself)] == ["c", None]


def test_a_stop_string_may_span_tokens_and_is_never_sent():
    bench = Bench()
    id = bench.submit("a b c d", stop=("b c",))
    bench.step(2)

    assert bench.text(id) == "a "
    bench.finish()
    assert bench.text(id) == "a "


def test_what_only_began_like_a_stop_string_is_sent_at_the_end():
    bench = Bench()
    id = bench.submit("a b", stop=("b c",))

    bench.finish()

    assert bench.text(id) == "a b "
    assert bench.ending(id).reason is FinishReason.STOP


def test_what_was_held_back_is_sent_when_the_length_ends_the_answer():
    bench = Bench()
    id = bench.submit("a b c", stop=("b d",), max_tokens=2)

    bench.finish()

    assert bench.text(id) == "a b "
    assert bench.ending(id).reason is FinishReason.LENGTH


def test_a_stop_token_ends_the_answer_before_it():
    bench = Bench()
    tokens = bench.backend.tokenize("a b c d")
    id = bench.submit(tokens=tokens, stop_token_ids=(tokens[2],))

    bench.finish()

    assert bench.text(id) == "a b "
    assert bench.ending(id).reason is FinishReason.STOP


def test_the_length_ends_the_answer():
    bench = Bench()
    id = bench.submit("a b c d", max_tokens=2)

    bench.finish()

    assert bench.text(id) == "a b "
    assert bench.ending(id).reason is FinishReason.LENGTH
    assert bench.ending(id).usage == Usage(4, 2)


def test_an_answer_of_one_token_can_be_asked_for():
    bench = Bench()
    id = bench.submit("a b", max_tokens=1)

    bench.finish()

    assert bench.text(id) == "a "
    assert bench.ending(id).usage == Usage(2, 1)


def test_the_context_ends_the_answer():
    bench = Bench(context_length=10)
    id = bench.submit("a b c d", ignore_eos=True, max_tokens=100)

    bench.finish()

    assert bench.ending(id).usage == Usage(4, 6)
    assert bench.ending(id).reason is FinishReason.LENGTH


def test_the_model_is_heard_when_its_end_is_the_last_token_allowed():
    bench = Bench()
    id = bench.submit("a b", max_tokens=3)

    bench.finish()

    assert bench.ending(id).reason is FinishReason.STOP


def test_who_ignores_the_models_end_reads_on():
    bench = Bench()
    id = bench.submit("a b", ignore_eos=True, max_tokens=5)

    bench.finish()

    assert bench.text(id) == "a b a b a "
    assert bench.ending(id).reason is FinishReason.LENGTH


def test_who_ignores_the_models_end_reads_on_even_if_the_model_has_nothing_to_say(monkeypatch):
    bench = Bench()
    monkeypatch.setattr(bench.backend, "_next", lambda sequence: END)
    id = bench.submit("a b", ignore_eos=True, max_tokens=5)

    bench.finish()

    assert bench.ending(id).usage == Usage(2, 5)
    assert bench.ending(id).reason is FinishReason.LENGTH


def test_the_models_end_waits_for_the_least_tokens():
    bench = Bench()
    id = bench.submit("a b", min_tokens=5)

    bench.finish()

    assert bench.text(id) == "a b a b a "
    assert bench.ending(id).reason is FinishReason.STOP


def test_stop_strings_and_stop_tokens_wait_for_the_least_tokens():
    bench = Bench()
    tokens = bench.backend.tokenize("a b a b")
    by_text = bench.submit(tokens=tokens, stop=("a",), min_tokens=1)
    by_token = bench.submit(tokens=tokens, stop_token_ids=(tokens[0],), min_tokens=1)

    bench.finish()

    assert bench.text(by_text) == bench.text(by_token) == "a b "


def test_the_tokens_sent_are_those_of_the_usage():
    bench = Bench()
    ids = [bench.submit("a b c"), bench.submit("a b", max_tokens=1), bench.submit("a", stop=("a",))]

    bench.finish()

    assert [bench.tokens(id) for id in ids] == [4, 1, 1]
    assert [bench.ending(id).usage.completion_tokens for id in ids] == [4, 1, 1]


# Time


def test_timings_tell_waiting_from_prefill_from_decode():
    bench = Bench(max_sequences=1, batch_tokens=4, prefill_chunk_tokens=4)
    first = bench.submit("a b c")
    second = bench.submit(counted(8))

    bench.finish()

    assert bench.ending(first).timings == Timings(queued=0, prefill=1, decode=3)
    assert bench.ending(second).timings == Timings(queued=4, prefill=2, decode=8)
    assert bench.ending(second).timings.total == bench.backend.now


# Cancelling


def test_cancelling_a_waiting_request_frees_it_before_the_next_step():
    bench = Bench(max_sequences=1)
    running, waiting = bench.submit("a b"), bench.submit("c d")
    bench.step()

    bench.engine.cancel(waiting)
    bench.step()

    assert bench.ending(waiting).reason is FinishReason.CANCELLED
    assert bench.ending(waiting).usage == Usage(2, 0)
    assert bench.ending(waiting).timings == Timings(queued=1, prefill=0, decode=0)
    assert bench.sent[-1].load.waiting == 0
    bench.finish()
    assert bench.text(running) == "a b "
    assert waiting not in bench.backend.begun
    assert bench.is_empty()


def test_cancelling_during_prefill_frees_it_before_the_next_step():
    bench = Bench(batch_tokens=10)
    id = bench.submit(counted(25))
    bench.step(2)

    bench.engine.cancel(id)
    bench.step()

    assert len(bench.backend.batches) == 2
    assert bench.ending(id).reason is FinishReason.CANCELLED
    assert bench.ending(id).usage == Usage(25, 0)
    assert bench.is_empty()


def test_cancelling_during_decode_frees_it_before_the_next_step():
    bench = Bench(max_sequences=2)
    cancelled, other = bench.submit("a b c"), bench.submit("d e f")
    bench.step(2)
    bench.engine.cancel(cancelled)
    bench.step()

    assert bench.backend.ended == [cancelled]
    assert [work.sequence.id for work in bench.backend.batches[-1]] == [other]
    assert bench.ending(cancelled).reason is FinishReason.CANCELLED
    assert bench.ending(cancelled).usage == Usage(3, 2)
    bench.finish()
    assert bench.text(other) == "d e f "
    assert bench.is_empty()


def test_a_cancelled_requests_place_is_taken_in_the_same_turn():
    bench = Bench(max_sequences=1)
    first, second = bench.submit(counted(9)), bench.submit("a b")
    bench.step()

    bench.engine.cancel(first)
    bench.step()

    assert bench.tokens(second) == 1


def test_cancelling_what_came_in_the_same_turn_computes_nothing():
    bench = Bench()
    id = bench.submit("a b")

    bench.engine.cancel(id)
    bench.step()

    assert bench.ending(id).reason is FinishReason.CANCELLED
    assert bench.backend.batches == []
    assert bench.is_empty()


def test_cancelling_sends_no_piece():
    bench = Bench()
    id = bench.submit("a b")
    bench.step()

    bench.engine.cancel(id)
    bench.step()

    assert bench.steps[-1].deltas == []


def test_cancelling_twice_or_after_the_end_does_nothing():
    bench = Bench()
    id = bench.submit("a b")
    bench.finish()
    num_sent = len(bench.sent)

    bench.engine.cancel(id)
    bench.engine.cancel(id)
    bench.engine.cancel(999)
    bench.step()

    assert len(bench.sent) == num_sent


# Refusals


def test_more_than_may_wait_are_refused():
    bench = Bench(max_sequences=2, max_waiting=1)
    ids = [bench.submit("a b") for _ in range(4)]

    error = bench.error(ids[3])
    assert type(error) is QueueFull
    assert error.retry_after == RETRY_AFTER_SECONDS
    assert [accepted.id for accepted in bench.of(Accepted)] == ids[:3]
    bench.finish()
    assert bench.backend.begun == ids[:3]


def test_a_seat_comes_back_with_every_kind_of_end():
    bench = Bench(max_sequences=1, max_waiting=0)
    bench.submit("a")
    bench.finish()
    cancelled = bench.submit("a")
    bench.engine.cancel(cancelled)
    bench.step()
    bench.submit(tokens=[999])
    bench.submit("a", max_tokens=1)
    bench.finish()

    last = bench.submit("a")

    assert bench.of(Accepted)[-1].id == last
    assert type(bench.error(bench.submit("a"))) is QueueFull


@pytest.mark.parametrize(
    ("prompt", "kind", "param"),
    [
        ({"text": ""}, InvalidParameter, "prompt"),
        ({"tokens": []}, InvalidParameter, "prompt"),
        ({"messages": [{"role": "user", "content": ""}]}, InvalidParameter, "messages"),
        ({"tokens": [1, 999]}, InvalidParameter, "prompt"),
        ({"tokens": [-1]}, InvalidParameter, "prompt"),
        ({"text": counted(16)}, PromptTooLong, "prompt"),
        ({"tokens": [1] * 17}, PromptTooLong, "prompt"),
        ({"messages": [{"role": "user", "content": counted(16)}]}, PromptTooLong, "messages"),
    ],
)
def test_a_prompt_that_cannot_be_answered_is_refused_at_once(prompt, kind, param):
    bench = Bench(context_length=16)
    bench.backend.tokenize("one")

    error = bench.error(bench.submit(**prompt))

    assert (type(error), error.param) == (kind, param)
    assert len(bench.sent) == 1
    bench.step()
    assert bench.backend.batches == []
    assert bench.is_empty()


def test_a_prompt_that_leaves_room_for_one_token_is_answered():
    bench = Bench(context_length=16)
    id = bench.submit(counted(15))

    bench.finish()

    assert bench.ending(id).usage == Usage(15, 1)


def test_what_the_template_refuses_is_refused(monkeypatch):
    bench = Bench()
    monkeypatch.setattr(bench.backend, "render", failing_with(TemplateError("No system role.")))

    error = bench.error(bench.submit(messages=[{"role": "system", "content": "a"}]))

    assert type(error) is TemplateError


def test_a_request_that_breaks_the_tokenizer_breaks_nothing_else(monkeypatch, caplog):
    bench = Bench()
    other = bench.submit("a b")
    monkeypatch.setattr(bench.backend, "tokenize", failing_with(ZeroDivisionError))

    error = bench.error(bench.submit("c d"))

    assert type(error) is EngineError
    assert "ZeroDivisionError" in caplog.text
    bench.finish()
    assert bench.text(other) == "a b "
    assert bench.is_empty()


def failing_with(error):
    def fail(*args):
        raise error

    return fail


# Failures


def test_a_failed_step_fails_who_was_running_and_nobody_else(caplog):
    bench = Bench(max_sequences=2)
    ids = [bench.submit(text) for text in ("fail x", "a b", "c d")]
    bench.engine._receive(block=False)

    bench.run()

    assert [type(bench.error(id)) for id in ids] == [DecodeFailed, DecodeFailed, EngineStopped]
    assert bench.backend.num_clears == 1
    assert bench.is_empty()


def test_who_waited_is_answered_after_a_failed_step():
    bench = Bench(max_sequences=2)
    failed = [bench.submit("fail x"), bench.submit("a b")]
    waiting = bench.submit("c d")
    stop_after(bench, waiting)

    bench.engine.run()

    assert [type(bench.error(id)) for id in failed] == [DecodeFailed] * 2
    assert bench.text(waiting) == "c d "
    assert bench.ending(waiting).reason is FinishReason.STOP


def test_a_failed_step_leaves_a_true_load():
    bench = Bench()
    bench.submit("fail x")

    bench.run()

    assert bench.sent[-1] == Step([], [], Load())


def test_a_bug_in_a_step_fails_who_was_running_and_is_logged(caplog, monkeypatch):
    bench = Bench(max_sequences=1)
    id, waiting = bench.submit("a b"), bench.submit("c d")
    # True of 0, which is the end, and a failure for 1, the first word.
    monkeypatch.setattr(bench.backend, "is_end", lambda token: 1 // (token - 1) == -1)
    stop_after(bench, waiting)

    bench.engine.run()

    assert type(bench.error(id)) is EngineError
    assert "step failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert bench.text(waiting) == "c d "


def test_a_failed_request_is_logged_under_its_name(caplog):
    bench = Bench()
    bench.engine.submit(Request(id=1, request_id="req-1", text="fail"))

    with caplog.at_level(logging.ERROR):
        bench.run()

    assert [record.request_id for record in caplog.records] == ["req-1"]


def stop_after(bench, id):
    """Stop the loop once that request has finished."""
    send = bench.engine._send

    def watch(message):
        send(message)
        if isinstance(message, Step) and id in [finish.id for finish in message.finished]:
            bench.engine.stop()

    bench.engine._send = watch


# Losing a place


def test_sequences_that_lose_their_place_lose_nothing_else():
    bench = Bench(max_sequences=4, context_length=24, cache_tokens=24)
    ids = [bench.submit(counted(8, name), max_tokens=8) for name in "abcd"]

    bench.finish()

    assert len(bench.backend.begun) > len(ids)
    assert [bench.text(id) for id in ids] == [f"{counted(8, name)} " for name in "abcd"]
    assert [bench.tokens(id) for id in ids] == [8] * 4
    assert [bench.ending(id).usage for id in ids] == [Usage(8, 8)] * 4
    assert bench.backend.ended == ids
    assert bench.is_empty()


# Stopping


def test_stopping_fails_what_is_left_and_closes_the_model():
    bench = Bench(max_sequences=1)
    running, waiting = bench.submit(counted(9)), bench.submit("a b")

    bench.run()

    assert bench.tokens(running) == 1
    assert [type(bench.error(id)) for id in (running, waiting)] == [EngineStopped] * 2
    assert bench.backend.is_closed
    assert bench.is_empty()


def test_what_was_cancelled_before_the_stop_is_still_told():
    bench = Bench()
    id = bench.submit("a b")
    bench.engine.cancel(id)

    bench.run()

    assert bench.ending(id).reason is FinishReason.CANCELLED
    assert bench.of(Failure) == []


def test_stopping_an_idle_engine_sends_nothing():
    bench = Bench()

    bench.run()

    assert bench.sent == []
    assert bench.backend.is_closed


def test_an_engine_whose_requests_could_never_fit_is_a_mistake_of_ours():
    backend = Backend(EngineConfig(model_id="m", path="", backend="fake"))
    backend.info = msgspec.structs.replace(backend.info, cache_tokens=8)

    with pytest.raises(AssertionError):
        Engine(backend, print)


# Progress


def test_a_waiting_request_is_told_its_place_then_how_far_its_prompt_is():
    bench = Bench(max_sequences=1, batch_tokens=4)
    bench.submit("a b", max_tokens=2)
    id = bench.submit(counted(10), with_progress=True, max_tokens=1)

    bench.finish()

    assert bench.progress(id) == [
        Progress("queued", position=0),
        Progress("prefill", done=0, total=10),
        Progress("prefill", done=4, total=10),
        Progress("prefill", done=8, total=10),
    ]


def test_a_place_is_told_before_the_step_that_may_take_long():
    bench = Bench(max_sequences=1)
    bench.submit("a b")
    id = bench.submit("c", with_progress=True)
    seen = []
    bench.backend.forward = lambda works, meanwhile: seen.extend(bench.progress(id)) or [[1]]

    bench.step()

    assert seen == [Progress("queued", position=0)]


def test_the_wait_is_what_others_took_lately():
    bench = Bench(max_sequences=1)
    bench.submit("a b", max_tokens=4, ignore_eos=True)
    bench.finish()
    bench.submit("a b", max_tokens=4, ignore_eos=True)
    bench.step()

    id = bench.submit("c", with_progress=True)
    bench.finish()

    queued = [p for p in bench.progress(id) if p.kind == "queued"]
    assert [p.eta for p in queued] == [3.0, 2.0, 1.0]


def test_who_left_the_queue_says_nothing_about_the_wait():
    bench = Bench(max_sequences=1)
    bench.submit("a", ignore_eos=True)
    left = bench.submit("b")
    id = bench.submit("c", with_progress=True)
    bench.step()
    bench.engine.cancel(left)
    bench.step()

    assert bench.progress(id) == [Progress("queued", position=1), Progress("queued", position=0)]


def test_nobody_is_told_who_did_not_ask():
    bench = Bench(max_sequences=1)
    bench.submit("a")
    bench.submit("b")

    bench.finish()

    assert [step.progress for step in bench.steps] == [None] * len(bench.steps)
