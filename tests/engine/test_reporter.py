from hypothesis import given
from hypothesis import strategies as st

from inference.engine.kvcache import KvCache
from inference.engine.pace import Pace
from inference.engine.progress import Progress
from inference.engine.reporter import INTERVAL_SECONDS, Reporter
from inference.engine.request import Request, Sequence
from inference.engine.scheduler import Scheduler
from inference.engine.tempo import Tempo
from inference.engine.text import TextStream


class Bench:
    """A scheduler with one place and steps of four tokens, and what is reported of it."""

    def __init__(self):
        tempo = Tempo(4, most=4, target_seconds=0)
        self.scheduler = Scheduler(KvCache(100, 4), max_sequences=1, batch_tokens=4, tempo=tempo)
        self.pace = Pace()
        self.reporter = Reporter(self.scheduler, self.pace)

    def arrive(self, id, num_tokens=1, *, priority=1, with_progress=True):
        tokens = [1] * num_tokens
        request = Request(id=id, tokens=tokens, priority=priority, with_progress=with_progress)
        sequence = Sequence(request, tokens, 10, TextStream(), submitted_at=0.0)
        self.scheduler.add(sequence)
        return sequence

    def step(self, now):
        self.scheduler.admit(now)
        works = self.scheduler.plan()
        self.scheduler.settle(works)
        for work in works:
            work.sequence.output_tokens += [1] * work.samples

    def report(self, now):
        return self.reporter.report(now)


def queued(position, eta=None):
    return Progress("queued", position=position, eta=eta)


def test_the_places_in_the_queue_are_told_once():
    bench = Bench()
    bench.arrive(1)
    bench.arrive(2)

    assert bench.report(0.0) == {1: queued(0), 2: queued(1)}
    assert bench.report(1.0) is None


def test_only_who_has_moved_is_told():
    bench = Bench()
    bench.arrive(1)
    bench.arrive(2)
    bench.report(0.0)

    bench.arrive(3, priority=0)
    bench.arrive(4)

    assert bench.report(1.0) == {3: queued(0), 1: queued(1), 2: queued(2), 4: queued(3)}
    bench.arrive(5)
    assert bench.report(2.0) == {5: queued(4)}


def test_a_prompt_is_told_as_it_is_computed_until_there_is_text():
    bench = Bench()
    bench.arrive(1, num_tokens=10)
    told = []
    for now in range(5):
        bench.step(float(now))
        told.append(bench.report(float(now)))

    assert told == [
        {1: Progress("prefill", done=4, total=10)},
        {1: Progress("prefill", done=8, total=10)},
        *(None, None, None),
    ]


def test_what_has_changed_is_told_when_the_last_report_is_old_enough():
    bench = Bench()
    bench.arrive(1, num_tokens=20)
    bench.step(0.0)
    bench.report(0.0)

    bench.step(0.0)

    assert bench.report(INTERVAL_SECONDS * 0.9) is None
    assert bench.report(INTERVAL_SECONDS) == {1: Progress("prefill", done=8, total=20)}


def test_who_has_just_come_is_told_at_once():
    bench = Bench()
    bench.arrive(1)
    bench.report(0.0)
    bench.arrive(2)

    bench.reporter.hurry()

    assert bench.report(0.001) == {2: queued(1)}


def test_who_does_not_ask_is_not_told_and_has_its_place_all_the_same():
    bench = Bench()
    bench.arrive(1, with_progress=False)
    bench.arrive(2)

    assert bench.report(0.0) == {2: queued(1)}


def test_the_wait_is_told_in_whole_seconds():
    bench = Bench()
    bench.arrive(1, with_progress=False)
    bench.step(0.0)
    bench.arrive(2)
    bench.arrive(3)
    bench.pace.note(10.0)

    assert bench.report(2.5) == {2: queued(0, 8.0), 3: queued(1, 18.0)}
    assert bench.report(2.8) is None
    assert bench.report(3.5) == {2: queued(0, 7.0), 3: queued(1, 17.0)}


def test_who_lost_its_place_is_told_that_it_waits_again():
    bench = Bench()
    sequence = bench.arrive(1)
    bench.step(0.0)
    assert bench.report(0.0) is None

    bench.scheduler.send_back(sequence, 0.5)

    assert bench.report(1.0) == {1: queued(0)}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_what_was_told_is_true_after_every_step(prompts):
    bench, told = Bench(), {}
    for id, num_tokens in enumerate(prompts):
        bench.arrive(id, num_tokens)
    for now in range(20):
        bench.step(float(now))
        told |= bench.report(float(now)) or {}
        waiting = {s.id: place for place, s in enumerate(bench.scheduler.waiting)}
        assert {id: told[id].position for id in waiting} == waiting
        done = [s for s in bench.scheduler.running if s.output_tokens]
        for sequence in done:
            bench.scheduler.remove(sequence)
    assert bench.scheduler.is_idle
