"""Requests on their way to the engine, which may be taken back meanwhile."""

import contextlib
import queue
import socket
import threading
import time

import pytest

from inference.engine.child import Inbox
from inference.engine.config import EngineConfig
from inference.engine.engine import Engine
from inference.engine.errors import EngineStopped, InvalidParameter
from inference.engine.fake import FakeBackend
from inference.engine.grammar import Grammar
from inference.engine.intake import OUR_FAULT, Intake
from inference.engine.request import ContextPolicy, FinishReason, Request
from inference.engine.sampling import SamplingParams
from inference.engine.stats import Load, Usage
from inference.engine.wire import (
    Accepted,
    Cancel,
    Channel,
    Count,
    Counted,
    Failure,
    Go,
    Step,
    Submit,
    encode,
)

LONG = 10  # seconds, for what is a matter of milliseconds


class SlowReader(FakeBackend):
    """Reads a prompt of `slow` for as long as the test wants."""

    def __init__(self, config):
        super().__init__(config)
        self.is_reading, self.may_go_on = threading.Event(), threading.Event()
        self.is_closed = False

    def tokenize(self, text, add_special=True):
        if text == "slow":
            self.is_reading.set()
            assert self.may_go_on.wait(LONG)
            assert not self.is_closed
        return super().tokenize(text)

    def close(self):
        self.is_closed = True


class Bench:
    def __init__(self):
        config = EngineConfig(model_id="m", path="", backend="fake", max_sequences=2, max_waiting=1)
        self.backend = SlowReader(config)
        self.sent = queue.SimpleQueue()
        self.engine = Engine(self.backend, self.sent.put)

    def next(self):
        return self.sent.get(timeout=LONG)

    def turn(self):
        self.engine._receive(block=True)
        self.engine.step()


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.backend.may_go_on.set()


@pytest.fixture
def web(bench):
    """What the web process would hold: it sends messages to the engine's inbox."""
    ours, theirs = socket.socketpair()
    inbox = Inbox(Channel(theirs), on_end=lambda: None)
    inbox.serve(bench.engine)
    inbox.start()
    with ours, theirs:
        yield lambda message: ours.sendall(encode(message))
        ours.shutdown(socket.SHUT_WR)
        inbox.join(LONG)


def asked(id, text):
    return Request(id=id, text=text)


def has_read(bench, id):
    """Waits until the inbox has passed that request on."""
    deadline = time.monotonic() + LONG
    while id not in bench.engine.intake._preparing:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_cancel_does_not_wait_for_anothers_prompt_to_be_tokenized(bench, web):
    web(Submit(asked(1, "a b c")))
    assert bench.next() == Accepted(1, 3, 4093)
    bench.turn()
    bench.next()
    web(Submit(asked(2, "slow")))
    assert bench.backend.is_reading.wait(LONG)

    web(Cancel(1))
    bench.turn()

    (finish,) = bench.next().finished
    assert (finish.id, finish.reason) == (1, FinishReason.CANCELLED)


def test_a_request_that_is_cancelled_while_it_is_tokenized_is_never_computed(bench, web):
    web(Submit(asked(1, "slow")))
    assert bench.backend.is_reading.wait(LONG)

    web(Cancel(1))
    web(Submit(asked(2, "a")))
    has_read(bench, 2)  # so the cancel has been read, too
    bench.backend.may_go_on.set()

    assert bench.next() == Accepted(1, 0, 0)
    (finish,) = bench.next().finished
    assert (finish.reason, finish.usage) == (FinishReason.CANCELLED, Usage(0, 0))
    assert bench.next() == Accepted(2, 1, 4095)
    bench.turn()
    assert [s.id for s in bench.engine.scheduler.running] == [2]


def test_a_request_that_is_cancelled_before_its_turn_is_not_even_tokenized(bench):
    request = asked(1, "slow")
    assert bench.engine.intake.reserve(request)

    bench.engine.cancel(1)
    bench.engine.intake.prepare(request)

    assert not bench.backend.is_reading.is_set()
    assert bench.next() == Accepted(1, 0, 0)
    assert bench.next().finished[0].reason is FinishReason.CANCELLED
    assert bench.engine.load == Load()


def test_who_left_makes_room_for_others(bench):
    for id in range(1, 20):
        request = asked(id, "slow")
        assert bench.engine.intake.reserve(request)
        bench.engine.cancel(id)
        bench.engine.intake.prepare(request)

    assert [bench.engine.intake.reserve(asked(id, "a")) for id in range(20, 24)] == [
        *(True, True, True),
        False,
    ]


def test_a_full_queue_refuses_while_a_prompt_is_tokenized(bench, web):
    web(Submit(asked(1, "slow")))
    assert bench.backend.is_reading.wait(LONG)

    for id in (2, 3, 4):
        web(Submit(asked(id, "a")))

    refusal = bench.next()
    assert isinstance(refusal, Failure)
    assert (refusal.id, refusal.name) == (4, "QueueFull")


def test_the_model_is_not_freed_while_a_prompt_is_tokenized(bench):
    reading = threading.Thread(target=bench.engine.submit, args=[asked(1, "slow")])
    reading.start()
    assert bench.backend.is_reading.wait(LONG)
    bench.engine.stop()
    running = threading.Thread(target=bench.engine.run)
    running.start()
    with contextlib.suppress(queue.Empty):
        assert bench.sent.get(timeout=0.05) is None  # nothing ends before the prompt is read

    bench.backend.may_go_on.set()  # the backend itself asserts that it is open still

    running.join(LONG)
    reading.join(LONG)
    assert bench.backend.is_closed


def test_a_closed_intake_refuses(bench):
    bench.engine.stop()
    bench.engine.run()

    bench.engine.submit(asked(1, "a"))

    refusal = bench.next()
    assert isinstance(refusal.error(), EngineStopped)


def test_a_held_request_is_computed_once_it_is_released(bench, web):
    web(Submit(Request(id=1, text="a b c", is_held=True)))
    web(Submit(asked(2, "d")))
    assert bench.next() == Accepted(1, 3, 4093)
    assert bench.next() == Accepted(2, 1, 4095)
    bench.turn()
    assert [s.id for s in bench.engine.scheduler.running] == [2]
    bench.next()

    web(Go(1, 2))
    bench.turn()

    sequences = {s.id: s.max_tokens for s in bench.engine.scheduler.running}
    assert sequences[1] == 2


def test_a_grant_beyond_what_was_asked_for_changes_nothing(bench):
    request = Request(id=1, text="a", is_held=True, params=SamplingParams(max_tokens=5))
    bench.engine.submit(request)
    bench.engine.intake.release(1, 1000)
    bench.turn()
    assert [s.max_tokens for s in bench.engine.scheduler.running] == [5]


def test_a_held_request_can_be_cancelled(bench):
    bench.engine.submit(Request(id=1, text="a b", is_held=True))
    bench.engine.cancel(1)
    bench.engine.intake.release(1, 5)  # too late

    assert bench.next() == Accepted(1, 2, 4094)
    (finish,) = bench.next().finished
    assert (finish.reason, finish.usage) == (FinishReason.CANCELLED, Usage(2, 0))
    assert bench.engine._inbox.empty()
    assert bench.engine.intake._seats.num_taken == 0


def test_a_step_without_a_load_leaves_it_as_it_was():
    assert Step([], []).load is None


# Counting


def test_tokens_are_counted_on_the_desk(bench, web):
    web(Submit(asked(1, "slow")))
    assert bench.backend.is_reading.wait(LONG)

    web(Count(2, texts=["a b", ""]))
    web(Cancel(1))
    web(Submit(asked(3, "a")))
    has_read(bench, 3)  # so the cancel has been read, too
    bench.backend.may_go_on.set()

    assert isinstance(bench.next(), Accepted)
    assert isinstance(bench.next(), Step)
    assert bench.next() == Counted(2, [2, 0])


def test_counting_takes_no_seat(bench):
    for id in range(10):
        bench.engine.intake.tell(Count(id, texts=["a"]))

    assert bench.engine.intake._seats.num_taken == 0


def test_messages_that_cannot_be_rendered_cannot_be_counted(bench, caplog):
    bench.engine.intake.tell(Count(1, messages=[{"role": "user"}]))

    refusal = bench.next()
    assert (refusal.id, refusal.message) == (1, OUR_FAULT)
    assert "KeyError" in caplog.text


def test_a_closed_intake_counts_nothing(bench):
    bench.engine.intake.close()

    bench.engine.intake.tell(Count(1, texts=["a"]))

    assert isinstance(bench.next().error(), EngineStopped)


# Trimming


def test_whoever_asks_is_told_which_messages_the_model_does_not_see(bench):
    messages = [{"role": "user", "content": word * 2000} for word in ("a ", "b ", "c ")]
    policy = ContextPolicy.DROP_OLDEST

    bench.engine.submit(Request(id=1, messages=messages, context_policy=policy))

    assert bench.next() == Accepted(1, 2000, 2096, [0, 1])


def test_what_one_of_a_group_is_refused_is_not_tried_for_the_others(bench):
    tried = []

    def constraint(grammar, owner):
        tried.append(grammar)
        raise InvalidParameter("grammar", grammar.source, "is slow")

    engine = Engine(bench.backend, bench.sent.put)
    engine.intake = Intake(bench.backend, bench.sent.put, lambda _: None, lambda: 0, constraint)
    params = SamplingParams(grammar=Grammar("regex", "a", "grammar"))

    for id, group in enumerate((7, 7, 8, None, None)):
        engine.submit(Request(id=id, text="a", params=params, group=group))

    refused = [bench.next() for _ in range(5)]
    assert [(failure.id, failure.param) for failure in refused] == [
        (i, "grammar") for i in range(5)
    ]
    assert len(tried) == 4
