"""When what leaves the cache is worth its snapshot."""

import pytest

from inference.engine.archive import WORTH, Archive
from inference.engine.kvcache import Copy, KvCache, Save
from inference.engine.radix import Path
from inference.engine.snapshots import SnapshotStore

from .test_kvcache import compute_and_leave

NUM_TOKENS = 40


class Backend:
    """Each token's state takes `seconds` to be had."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.now = 0.0
        self.saved = []
        self.done = []

    def save(self, slot):
        self.saved.append(slot)
        self.now += self.seconds * NUM_TOKENS
        return b"state"


class Bench:
    def __init__(self, seconds):
        self.backend = Backend(seconds)
        self.cache = KvCache(1000, 2, num_idle_slots=8)
        self.store = SnapshotStore("f", None, 2**20, 0)
        self.archive = Archive(
            self.backend, self.cache, self.store, self.do, lambda: self.backend.now
        )
        for number in range(4):
            compute_and_leave(self.cache, tokens_of(number), f"owner {number}")

    def do(self, move):
        if isinstance(move, Save):
            self.archive.save(move.slot, move.path)
        else:
            self.backend.done.append(move)

    def move(self):
        for move in self.cache.take_moves():
            self.do(move)

    def knows(self, seconds_of_computing):
        self.archive.save(self.cache.idle()[0][0], self.path(0))
        self.archive.note_computed(100, 100 * seconds_of_computing)
        assert self.backend.saved, "at first nobody knows what it costs"
        self.backend.saved.clear()

    def path(self, number):
        return Path(tokens_of(number), f"owner {number}")


def tokens_of(number):
    return [number] * NUM_TOKENS


@pytest.mark.parametrize(("factor", "is_worth_it"), [(0.9, True), (1.1, False)])
def test_it_is_saved_if_that_costs_less_than_computing_it_when_it_is_needed(factor, is_worth_it):
    bench = Bench(seconds=factor * WORTH)
    bench.knows(seconds_of_computing=1.0)

    assert bench.archive.is_worth_it is is_worth_it
    bench.archive.save(5, bench.path(1))
    assert bool(bench.backend.saved) is is_worth_it


def test_what_costs_too_much_then_is_saved_while_nobody_is_at_work():
    bench = Bench(seconds=2.0)
    bench.knows(seconds_of_computing=1.0)

    assert [bench.archive.keep_one() for _ in range(4)] == [True, True, True, False]
    idle = [slot for slot, _ in bench.cache.idle()]
    assert bench.backend.saved == idle[1:], "the first was saved already"
    for number in range(4):
        assert bench.store.find(f"owner {number}", tokens_of(number)).num_tokens == NUM_TOKENS


@pytest.mark.parametrize("end", ["rest", "close"])
def test_what_is_longer_than_all_idle_cells_is_saved_before_anybody_comes(end):
    bench = Bench(seconds=2.0)
    bench.knows(seconds_of_computing=1.0)
    bench.move()
    bench.backend.saved.clear()
    bench.cache.max_idle_cells = NUM_TOKENS // 2
    compute_and_leave(bench.cache, tokens_of(9), "owner 9")

    if end == "close":
        bench.archive.close()
    while end == "rest" and bench.archive.keep_one():
        pass

    assert bench.store.find("owner 9", tokens_of(9)).num_tokens == NUM_TOKENS
    compute_and_leave(bench.cache, tokens_of(8), "owner 8")
    bench.move()
    assert bench.store.find("owner 8", tokens_of(8)) is None, "somebody waits"


def test_of_those_that_leave_one_is_saved_at_a_time_since_somebody_may_come():
    bench = Bench(seconds=2.0)
    bench.knows(seconds_of_computing=1.0)
    bench.move()
    bench.backend.saved.clear()
    bench.cache.max_idle_cells = NUM_TOKENS // 2
    for number in (8, 9):
        compute_and_leave(bench.cache, tokens_of(number), f"owner {number}")
    num_leaving = sum(isinstance(move, Save) for move in bench.cache._moves)
    assert num_leaving > 2

    saved = []
    while bench.archive.keep_one():
        saved.append(len(bench.backend.saved))

    assert saved == [*range(1, len(bench.backend.saved) + 1)]
    assert len(saved) > 2
    for number in (8, 9):
        assert bench.store.find(f"owner {number}", tokens_of(number)).num_tokens == NUM_TOKENS


def test_an_idle_slot_is_saved_once_it_has_its_cells():
    bench = Bench(seconds=2.0)
    bench.knows(seconds_of_computing=1.0)
    bench.move()
    bench.backend.done.clear()
    compute_and_leave(bench.cache, tokens_of(9), "owner 9")

    while bench.archive.keep_one():
        pass

    [kept] = [slot for slot, path in bench.cache.idle() if path.owner == "owner 9"]
    assert any(isinstance(move, Copy) and move.slot == kept for move in bench.backend.done)
    assert not bench.cache.take_moves()


def test_what_there_is_no_room_for_is_tried_once():
    bench = Bench(seconds=2.0)
    bench.knows(seconds_of_computing=1.0)
    bench.store._max_kept = 5
    while bench.archive.keep_one():
        pass
    bench.backend.saved.clear()

    assert not bench.archive.keep_one()
    assert not bench.backend.saved


def test_what_is_saved_in_time_is_not_saved_before():
    bench = Bench(seconds=0.1)
    bench.knows(seconds_of_computing=1.0)
    assert not bench.archive.keep_one()


def test_at_the_end_all_is_saved_whatever_it_costs():
    bench = Bench(seconds=2.0)
    bench.knows(seconds_of_computing=1.0)
    bench.archive.close()
    assert len(bench.backend.saved) == 3
