from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from inference.engine import kvcache
from inference.engine.kvcache import Copy, Cut, KvCache, Save
from inference.engine.radix import Path
from tests.engine.simulation import Cell, Slots, tokens_of

prompts = st.lists(st.integers(1, 2), min_size=1, max_size=12)
owners = st.sampled_from(["alice", "bob"])


def enter(cache, tokens, owner="", num_public=0, spare=0):
    return cache.try_enter(Path(tokens, owner, num_public), spare)


def compute_and_leave(cache, tokens, owner="", num_public=0, keep=True):
    entry = enter(cache, tokens, owner, num_public)
    path = Path(tokens, owner, num_public)
    cache.leave(entry.slot, path, len(tokens), keep=keep)
    return entry


def own_cells(paths):
    """Whose each is, and what stands before and in it; but for those that are public."""
    return {
        (path.owner, tuple(path.tokens[:end]))
        for path, computed in paths
        for end in range(path.num_public + 1, computed + 1)
    }


class Caching(RuleBasedStateMachine):
    """Against real cells, and what everybody believes to have in them."""

    @initialize(
        num_cells=st.integers(12, 60),
        num_slots=st.integers(2, 5),
        num_idle_slots=st.integers(0, 4),
        max_idle_cells=st.none() | st.integers(0, 20),
    )
    def start(self, num_cells, num_slots, num_idle_slots, max_idle_cells):
        self.cache = KvCache(
            num_cells, num_slots, num_idle_slots=num_idle_slots, max_idle_cells=max_idle_cells
        )
        self.slots = Slots()
        self.live = {}  # slot: (path, computed)

    @rule(tokens=prompts, owner=owners, num_public=st.integers(0, 4))
    def enter(self, tokens, owner, num_public):
        path = Path(tokens, owner, min(num_public, len(tokens)))
        used, fits = self.cache.num_used, self.cache.fits(path)
        entry = self.cache.try_enter(path)
        assert fits == (entry is not None)
        if entry is None:
            assert self.cache.num_used == used
            assert self.live
            return
        self.slots.apply(self.cache.take_moves())
        assert entry.slot not in self.live
        assert entry.num_cached < len(tokens)
        self.live[entry.slot] = (path, entry.num_cached)

    @rule(index=st.integers(0, 9), number=st.integers(1, 6))
    def compute(self, index, number):
        if not self.live:
            return
        slot = sorted(self.live)[index % len(self.live)]
        path, start = self.live[slot]
        end = min(start + number, len(path.tokens))
        for place in range(start, end):
            self.slots[slot].append(Cell(path.tokens[place], path.owner_at(place)))
        self.live[slot] = (path, end)
        self.cache.note_computed(slot, path, end)

    @rule(index=st.integers(0, 9), tokens=prompts)
    def write(self, index, tokens):
        """More tokens than it came with."""
        if not self.live:
            return
        slot = sorted(self.live)[index % len(self.live)]
        path, computed = self.live[slot]
        longer = Path(path.tokens + tokens, path.owner, path.num_public)
        if self.cache.try_hold(slot, len(longer.tokens)):
            self.live[slot] = (longer, computed)

    @rule(index=st.integers(0, 9), keep=st.booleans())
    def leave(self, index, keep):
        if not self.live:
            return
        slot = sorted(self.live)[index % len(self.live)]
        path, computed = self.live.pop(slot)
        self.cache.leave(slot, path, computed, keep=keep)

    @rule(tokens=prompts, owner=owners, number=st.integers(1, 4), keep=st.booleans())
    def enter_once_others_have_left(self, tokens, owner, number, keep):
        path, leaving = Path(tokens, owner), sorted(self.live)[:number]
        if not self.cache.fits(path, 0, leaving):
            return
        for slot in leaving:
            left, computed = self.live.pop(slot)
            self.cache.leave(slot, left, computed, keep=keep)
        entry = self.cache.try_enter(path)
        assert entry is not None
        self.slots.apply(self.cache.take_moves())
        self.live[entry.slot] = (path, entry.num_cached)

    @rule(owner=owners)
    def drop(self, owner):
        self.cache.drop_idle(lambda path: path.owner == owner)
        if not self.live:
            assert owner not in {path.owner for _, path in self.cache.idle()}

    @invariant()
    def all_is_right(self):
        self.slots.apply(self.cache.take_moves())
        self.cells_are_what_they_are_believed_to_be()
        self.cells_are_counted()

    def cells_are_what_they_are_believed_to_be(self):
        for slot, (path, computed) in self.live.items():
            cells = self.slots[slot]
            assert tokens_of(cells) == path.tokens[:computed]
            assert [cell.salt for cell in cells] == [path.owner_at(i) for i in range(computed)]

    def cells_are_counted(self):
        reserved = sum(len(path.tokens) - computed for path, computed in self.live.values())
        assert self.slots.num_used + reserved == self.cache.num_used <= self.cache.num_cells
        assert self.cache.num_used <= self.cache.num_spread <= self.cache.num_cells
        idle = own_cells((path, len(path.tokens)) for _, path in self.cache.idle())
        assert len(idle - own_cells(self.live.values())) <= self.cache.max_idle_cells
        live = {id(cell) for slot in self.live for cell in self.slots[slot]}
        assert self.cache.num_free == self.cache.num_cells - len(live) - reserved

    def teardown(self):
        for slot, (path, computed) in self.live.items():
            self.cache.leave(slot, path, computed, keep=False)
        assert self.cache.num_free == self.cache.num_cells


class TestCaching(Caching.TestCase):
    settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_what_was_computed_serves_the_next_with_the_same_beginning():
    cache = KvCache(100, 4, num_idle_slots=4)
    first = compute_and_leave(cache, [1, 2, 3, 4])
    [(idle, _)] = cache.idle()

    entry = enter(cache, [1, 2, 3, 9])

    assert entry.num_cached == 3
    assert cache.take_moves() == [
        *(Copy(first.slot, idle, 0, 4), Cut(first.slot)),
        Copy(idle, entry.slot, 0, 3),
    ]


def test_the_last_token_is_computed_in_any_case():
    cache = KvCache(100, 4, num_idle_slots=4)
    compute_and_leave(cache, [1, 2, 3])

    assert enter(cache, [1, 2, 3]).num_cached == 2


def test_another_owner_finds_nothing():
    cache = KvCache(100, 4, num_idle_slots=4)
    compute_and_leave(cache, [1, 2, 3, 4], "alice")

    assert cache.num_cached(Path([1, 2, 3, 4], "bob")) == 0
    assert enter(cache, [1, 2, 3, 4], "bob").num_cached == 0


def test_only_what_is_public_crosses_from_one_owner_to_another():
    cache = KvCache(100, 4, num_idle_slots=4)
    compute_and_leave(cache, [1, 2, 3, 4, 5], "alice", num_public=2)

    assert enter(cache, [1, 2, 3, 4, 5], "bob", num_public=2).num_cached == 2
    assert enter(cache, [1, 2, 3, 4, 5], "alice", num_public=2).num_cached == 4


def test_a_prompt_is_not_public_because_it_looks_like_one():
    cache = KvCache(100, 4, num_idle_slots=4)
    compute_and_leave(cache, [1, 2, 3], "alice", num_public=0)

    assert enter(cache, [1, 2, 3], "bob", num_public=3).num_cached == 0


def test_nothing_is_found_of_what_was_not_to_be_kept():
    cache = KvCache(100, 4, num_idle_slots=4)
    compute_and_leave(cache, [1, 2, 3], keep=False)

    assert enter(cache, [1, 2, 3]).num_cached == 0
    assert cache.num_used == 3


def test_where_cells_cannot_be_shared_nothing_stays():
    cache = KvCache(100, 4, can_share=False)
    compute_and_leave(cache, [1, 2, 3])

    assert cache.num_used == 0
    assert Cut(0) in cache.take_moves() or cache.num_idle == 0


def test_shared_cells_are_counted_once():
    cache = KvCache(100, 4, num_idle_slots=4)
    compute_and_leave(cache, [1, 2, 3, 4])
    enter(cache, [1, 2, 3, 5, 6])
    enter(cache, [1, 2, 3, 7])

    assert cache.num_used == 4 + 2 + 1


def test_the_longest_unused_goes_first():
    cache = KvCache(12, 4, num_idle_slots=4)
    compute_and_leave(cache, [1, 1, 1, 1])
    compute_and_leave(cache, [2, 2, 2, 2])
    compute_and_leave(cache, [1, 1, 1, 1])

    enter(cache, [3] * 6)

    assert cache.num_cached(Path([1, 1, 1, 1])) == 3
    assert cache.num_cached(Path([2, 2, 2, 2])) == 0


def test_what_several_begin_with_goes_after_all_that_follows():
    cache = KvCache(12, 6, num_idle_slots=6)
    compute_and_leave(cache, [1, 1, 1, 2, 2])
    compute_and_leave(cache, [1, 1, 1, 3, 3])
    compute_and_leave(cache, [4, 4])

    enter(cache, [5] * 7)

    assert cache.num_cached(Path([1, 1, 1, 1])) == 3
    assert cache.num_cached(Path([1, 1, 1, 2, 2])) == 3


def test_live_cells_are_never_given_up():
    cache = KvCache(10, 4, num_idle_slots=4)
    live = enter(cache, [1] * 6)
    compute_and_leave(cache, [2] * 4)

    assert enter(cache, [3] * 5) is None
    assert cache.num_cached(Path([2] * 4)) == 3, "a refusal gives nothing up"
    assert enter(cache, [3] * 4)
    assert cache.try_hold(live.slot, 7) is False


def test_a_slot_grows_by_what_idle_ones_have():
    cache = KvCache(10, 4, num_idle_slots=4)
    compute_and_leave(cache, [2] * 4)
    entry = enter(cache, [1] * 6)

    assert cache.try_hold(entry.slot, 10)
    assert not cache.try_hold(entry.slot, 11)
    assert cache.num_idle == 0


def test_what_is_matched_is_not_given_up_for_who_matched_it():
    cache = KvCache(10, 2, num_idle_slots=2)
    compute_and_leave(cache, [1] * 6)

    entry = enter(cache, [1] * 6 + [2] * 4)

    assert entry.num_cached == 6
    assert cache.num_used == 10


def test_the_only_live_slot_is_entered_again_beside_the_idle_one():
    cache = KvCache(10, 1, num_idle_slots=1)
    first = compute_and_leave(cache, [1, 2, 3, 4])
    [(idle, _)] = cache.idle()
    cache.take_moves()

    entry = enter(cache, [1, 2, 9])

    assert entry.slot == first.slot
    assert entry.num_cached == 2
    assert cache.take_moves() == [Copy(idle, first.slot, 0, 2)]


def test_without_idle_slots_nothing_is_kept():
    cache = KvCache(10, 2)
    compute_and_leave(cache, [1, 2, 3, 4])

    assert cache.num_used == 0
    assert enter(cache, [1, 2, 3, 4]).num_cached == 0


def test_what_an_idle_slot_has_already_is_not_kept_twice():
    cache = KvCache(100, 2, num_idle_slots=2)
    for _ in range(3):
        compute_and_leave(cache, [1, 2, 3, 4])
    compute_and_leave(cache, [1, 2, 3])

    assert [path.tokens for _, path in cache.idle()] == [[1, 2, 3, 4]]


def test_what_is_given_up_is_saved_before_if_it_is_worth_it():
    cache = KvCache(80, 4, num_idle_slots=4)
    long = [1] * 40
    compute_and_leave(cache, long, "alice")
    compute_and_leave(cache, [2] * 8)
    cache.take_moves()

    enter(cache, [3] * 80)

    moves = cache.take_moves()
    saved = [move for move in moves if isinstance(move, Save)]
    assert [move.path for move in saved] == [Path(long, "alice")]
    assert moves.index(saved[0]) < moves.index(Cut(saved[0].slot))


def test_who_computes_the_same_as_another_gives_its_cells_back():
    cache = KvCache(100, 4, num_idle_slots=4)
    path = Path([1, 2, 3, 4])
    first, second = cache.try_enter(path), cache.try_enter(path)
    assert cache.num_used == 8

    cache.note_computed(first.slot, path, 4)
    cache.note_computed(second.slot, path, 4)

    assert cache.num_used == 4
    assert cache.take_moves()[-2:] == [
        Cut(second.slot, 0, 4),
        Copy(first.slot, second.slot, 0, 4),
    ]


@given(st.lists(prompts, min_size=1, max_size=8))
def test_idle_cells_stay_within_their_limit(all_tokens):
    cache = KvCache(100, 12, num_idle_slots=12, max_idle_cells=10)

    for tokens in all_tokens:
        compute_and_leave(cache, tokens)

    assert cache.num_used <= 10


def test_what_has_to_go_for_one_that_is_alone_is_saved_before():
    cache = KvCache(100, 4, num_idle_slots=4)
    compute_and_leave(cache, [1] * 40, "alice")
    compute_and_leave(cache, [2] * 40, "bob")

    cache.give_up_idle()

    assert cache.num_used == 0
    saved = [move.path.owner for move in cache.take_moves() if isinstance(move, Save)]
    assert sorted(saved) == ["alice", "bob"]


def test_one_owners_idle_cells_are_dropped_unsaved_and_others_stay():
    cache = KvCache(200, 8, num_idle_slots=4)
    compute_and_leave(cache, [*range(50)], "alice")
    compute_and_leave(cache, [*range(50)], "bob")
    cache.take_moves()

    cache.drop_idle(lambda path: path.owner == "alice")

    assert [move for move in cache.take_moves() if isinstance(move, Save)] == []
    assert cache.num_used == 50
    assert cache.num_cached(Path([*range(60)], "alice")) == 0
    assert cache.num_cached(Path([*range(60)], "bob")) == 50


def test_what_is_live_is_not_dropped():
    cache = KvCache(200, 8, num_idle_slots=4)
    compute_and_leave(cache, [*range(50)], "alice")
    live = enter(cache, [*range(60)], "alice")

    cache.drop_idle(lambda path: path.owner == "alice")

    assert live.num_cached == 50
    assert cache.num_used == 60


def test_what_is_public_stays_whatever_else_is_idle():
    cache = KvCache(100, 4, num_idle_slots=4, max_idle_cells=0)
    for owner in ("alice", "bob"):
        path = Path([1] * 10 + [2, 3], owner, num_public=10)
        entry = cache.try_enter(path)
        cache.note_computed(entry.slot, path, 12)
        cache.leave(entry.slot, path, 12, keep=True)

    assert cache.num_idle == 10
    assert cache.num_cached(Path([1] * 10 + [4], "carol", num_public=10)) == 10
    assert cache.num_cached(Path([1] * 10 + [2, 3, 4], "alice", num_public=10)) == 10


def test_what_is_public_and_used_no_more_goes_like_all_else(monkeypatch):
    monkeypatch.setattr(kvcache, "PUBLIC_USES", 4)
    cache = KvCache(100, 4, num_idle_slots=4, max_idle_cells=0)
    path = Path([1] * 10 + [2], "alice", num_public=10)
    entry = cache.try_enter(path)
    cache.note_computed(entry.slot, path, 11)
    cache.leave(entry.slot, path, 11, keep=True)
    for number in range(3):
        assert cache.num_cached(path) == (10 if number < 2 else 0)
        compute_and_leave(cache, [3, 4, number])
    assert cache.num_idle == 0


def test_what_is_given_up_for_a_refill_is_not_what_it_begins_with():
    cache = KvCache(150, 3, num_idle_slots=4)
    for first in (0, 1000):
        path = Path(list(range(first, first + 40)), "alice")
        cache.leave(cache.try_enter(path).slot, path, 40, keep=True)
    other = cache.try_enter(Path(list(range(2000, 2030)), "alice"))
    entry = cache.try_enter(Path([*range(40), *range(500, 520)], "alice"))

    if cache.can_refill(entry.slot, 60):
        cache.refill(entry.slot)

    assert entry.num_cached == 40
    assert other
