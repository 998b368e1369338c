import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inference.engine.image import Image
from inference.engine.radix import Path
from inference.engine.request import Status
from inference.engine.scheduler import MOST_PASSED, SHORT_PROMPT_CHUNKS
from inference.engine.span import Span
from tests.engine.simulation import Simulation, answer_of

prompts = st.lists(st.integers(1, 3), min_size=1, max_size=24)
IMAGE = Image("<image>", b"", "messages")
CONTEXT = 32  # tokens of one sequence, in all tests


def shares(works):
    """Who computes how many tokens, and whether the next one is sampled."""
    return [(work.sequence.id, len(work.tokens), work.samples) for work in works]


def ids(sequences):
    return [sequence.id for sequence in sequences]


# Any arrivals, cancellations and steps


class Scheduling(RuleBasedStateMachine):
    @initialize(
        num_cells=st.integers(CONTEXT, 4 * CONTEXT),
        max_sequences=st.integers(1, 5),
        spare_tokens=st.integers(0, 12),
        chunk=st.integers(1, 8),
        can_share=st.booleans(),
        num_idle_slots=st.integers(0, 4),
        max_idle_cells=st.none() | st.integers(0, CONTEXT),
    )
    def start(self, num_cells, max_sequences, spare_tokens, chunk, **options):
        self.batch_tokens = batch_tokens = max_sequences + spare_tokens
        self.simulation = Simulation(num_cells, max_sequences, batch_tokens, chunk, **options)
        self.scheduler = self.simulation.scheduler
        self.arrived = []
        self.cancelled = []
        self.have_waited = False

    @rule(
        prompt=prompts,
        max_tokens=st.integers(1, CONTEXT - 24),
        owner=st.sampled_from(["alice", "bob", "charlie"]),
        priority=st.integers(0, 2),
        num_public=st.integers(0, 6),
        use_cache=st.booleans(),
        caps=st.dictionaries(st.sampled_from(["team", "key"]), st.integers(1, 2)),
    )
    def arrive(self, prompt, max_tokens, **fields):
        self.arrived.append(self.simulation.arrive(prompt, max_tokens, **fields))

    @rule(prompt=prompts, answers=st.lists(st.integers(1, CONTEXT - 24), min_size=2, max_size=4))
    def arrive_together(self, prompt, answers):
        group = len(self.arrived)
        for max_tokens in answers:
            self.arrived.append(self.simulation.arrive(prompt, max_tokens, group=group))

    @rule(
        prompt=prompts,
        max_tokens=st.integers(1, CONTEXT - 24),
        borders=st.lists(st.integers(0, 24), min_size=2, max_size=4, unique=True),
        is_whole=st.booleans(),
        num_positions=st.none() | st.just(1),
        owner=st.sampled_from(["alice", "bob"]),
    )
    def arrive_with_images(self, prompt, borders, is_whole, num_positions, **fields):
        borders = sorted(min(border, len(prompt)) for border in borders)
        spans = [
            Span(start, end, IMAGE, 0, is_whole and end - start <= self.batch_tokens, num_positions)
            for start, end in zip(borders[::2], borders[1::2], strict=False)
            if start < end
        ]
        self.arrived.append(self.simulation.arrive(prompt, spans=tuple(spans), **fields))

    @rule(prompt=prompts, max_tokens=st.integers(1, CONTEXT - 24))
    def arrive_to_be_alone(self, prompt, max_tokens):
        self.arrived.append(self.simulation.arrive(prompt, max_tokens, is_alone=True))

    @invariant()
    def nobody_is_beside_one_that_is_alone(self):
        running = self.scheduler.running if self.arrived else []
        assert len(running) < 2 or not any(s.is_alone for s in running)

    @precondition(lambda self: not self.scheduler.is_idle)
    @rule(index=st.integers(0, 100))
    def cancel(self, index):
        living = self.scheduler.sequences()
        sequence = living[index % len(living)]
        self.simulation.remove(sequence)
        self.cancelled.append(sequence)

    @rule()
    def step(self):
        works = self.simulation.plan()
        self.check(works)
        self.simulation.settle(works)

    @rule()
    def compact(self):
        self.simulation.compact()

    @rule(seconds=st.sampled_from([1, 31, 100]))
    def time_passes(self, seconds):
        self.simulation.now += seconds

    def is_rush(self, works):
        """A newcomer's prompt by itself, no longer than a few chunks."""
        if len(works) != 1 or not works[0].samples or works[0].sequence.is_decoding:
            return False
        served = {s.owner for s in self.scheduler.running if s.is_decoding}
        most = SHORT_PROMPT_CHUNKS * self.scheduler.tempo.chunk_tokens
        return works[0].sequence.owner not in served and len(works[0].tokens) <= most

    def check(self, works):
        decoding = [s for s in self.scheduler.running if s.is_decoding]
        prompt_tokens = sum(len(w.tokens) for w in works if not w.sequence.is_decoding)
        assert sum(len(work.tokens) for work in works) <= self.scheduler.batch_tokens
        images = [work.span for work in works if work.span]
        waits = not {s.id for s in decoding} <= {work.sequence.id for work in works}
        is_rush = waits and self.is_rush(works)
        is_chunk = prompt_tokens <= self.scheduler.tempo.chunk_tokens
        assert not decoding or is_chunk or is_rush or images[0].is_whole
        assert not waits or is_rush or images
        assert not (waits and self.have_waited), "nobody waits for two in a row"
        self.have_waited = waits
        assert len({work.sequence.id for work in works}) == len(works)
        assert all(work.tokens for work in works)
        assert bool(works) == bool(self.scheduler.running)
        assert len(self.scheduler.running) <= self.scheduler.max_sequences

    @invariant()
    def caps_hold(self):
        for sequence in self.scheduler.running:
            for name in sequence.request.caps:
                alike = [s for s in self.scheduler.running if name in s.request.caps]
                assert len(alike) <= max(s.request.caps[name] for s in alike)

    @invariant()
    def slots_are_never_shared(self):
        slots = [sequence.slot for sequence in self.scheduler.running]
        assert len(set(slots)) == len(slots)
        assert all(sequence.slot is None for sequence in self.scheduler.waiting)

    @invariant()
    def cells_lie_where_they_are_held(self):
        cache = self.scheduler.cache
        assert self.simulation.slots.num_used <= cache.num_used <= cache.num_cells
        assert cache.num_free == cache.num_cells - cache.num_used + cache.num_idle

    @invariant()
    def nobody_is_lost_or_doubled(self):
        gone = ids(self.simulation.finished) + ids(self.cancelled)
        assert sorted(ids(self.scheduler.sequences()) + gone) == ids(self.arrived)

    @invariant()
    def the_queue_is_all_who_wait(self):
        queue = self.scheduler.queue(self.simulation.now)
        assert sorted(ids(queue)) == sorted(ids(self.scheduler.waiting))
        assert [s.rank for s in queue] == sorted(s.rank for s in queue)

    @invariant()
    def the_status_says_where_a_sequence_is(self):
        assert {s.status for s in self.scheduler.running} <= {Status.RUNNING}
        assert {s.status for s in self.scheduler.waiting} <= {Status.WAITING}
        assert {s.status for s in self.cancelled + self.simulation.finished} <= {Status.FINISHED}

    def teardown(self):
        """Nothing new arrives: everybody gets to the end."""
        left = self.scheduler.sequences()
        most = sum(len(s.prompt_tokens) + s.max_tokens for s in left)
        assert self.simulation.run() <= 2 * most
        assert self.scheduler.cache.num_used == self.scheduler.cache.num_idle
        assert self.scheduler.shares.num_owners == 0
        for sequence in self.simulation.finished:
            assert sequence.output_tokens == answer_of(sequence.prompt_tokens, sequence.max_tokens)


class TestScheduling(Scheduling.TestCase):
    settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


@settings(deadline=None)
@given(
    st.lists(st.tuples(prompts, st.integers(1, CONTEXT - 24)), min_size=1, max_size=8),
    st.integers(CONTEXT, 2 * CONTEXT),
)
def test_a_small_cache_changes_when_answers_come_and_nothing_else(requests, num_cells):
    simulation = Simulation(num_cells, max_sequences=8)
    sequences = [simulation.arrive(*request) for request in requests]

    simulation.run()

    assert [s.output_tokens for s in sequences] == [answer_of(*request) for request in requests]


# Entering


def test_a_sequence_enters_when_it_has_a_slot():
    simulation = Simulation(num_cells=100, max_sequences=2)
    for _ in range(3):
        simulation.arrive([1], 8)

    assert ids(simulation.scheduler.admit(now=5.0)) == [1, 2]
    assert ids(simulation.scheduler.waiting) == [3]
    assert [s.admitted_at for s in simulation.scheduler.sequences()] == [5.0, 5.0, None]


def test_who_waits_enters_by_priority_and_then_as_they_came():
    simulation = Simulation(num_cells=100, max_sequences=1)
    simulation.arrive([1], 8)
    simulation.scheduler.admit(now=0)
    for priority in (2, 1, 0, 1, 2, 0):
        simulation.arrive([1], 8, priority=priority)

    assert ids(simulation.scheduler.queue(0)) == [4, 7, 3, 5, 2, 6]


def test_who_was_sent_back_goes_on_before_those_who_came_later():
    simulation = Simulation(num_cells=100)
    first = simulation.arrive([1], 8)
    simulation.arrive([1], 8)
    simulation.step()
    simulation.send_back(first)

    simulation.arrive([1], 8)

    assert ids(simulation.scheduler.queue(0)) == [1, 3]


def test_a_sequence_enters_when_all_can_still_sample_a_token():
    simulation = Simulation(num_cells=11)
    simulation.arrive([1] * 4, 8)
    simulation.arrive([2] * 6, 8)

    assert ids(simulation.scheduler.admit(0)) == [1]
    assert simulation.scheduler.cache.num_free == 7


def test_cells_for_prompts_and_a_token_each_are_enough_to_enter():
    simulation = Simulation(num_cells=12)
    simulation.arrive([1] * 4, 8)
    simulation.arrive([2] * 6, 8)

    assert ids(simulation.scheduler.admit(0)) == [1, 2]


def test_small_ones_pass_one_that_does_not_fit():
    simulation = Simulation(num_cells=40)
    simulation.arrive([1] * 20, 8)
    simulation.step()
    simulation.arrive([2] * 24, 8)
    simulation.arrive([3], 8)

    simulation.step()

    assert ids(simulation.scheduler.running) == [1, 3]
    assert ids(simulation.scheduler.waiting) == [2]


def test_but_not_for_ever():
    simulation = Simulation(num_cells=40, max_sequences=2, batch_tokens=30)
    simulation.arrive([1] * 20, 2)
    large = simulation.arrive([2] * 30, 1)
    for number in range(3 * MOST_PASSED):
        simulation.arrive([3 + number], 2)

    simulation.run()

    assert ids(simulation.finished).index(large.id) <= MOST_PASSED + 2


def test_a_prompt_that_fills_the_cache_enters_alone():
    simulation = Simulation(num_cells=24)
    sequence = simulation.arrive([1] * 24, 1)

    simulation.run()

    assert sequence.output_tokens == answer_of([1] * 24, 1)


def test_the_time_of_entry_is_the_first():
    simulation = Simulation(num_cells=12, max_sequences=2)
    simulation.arrive([1] * 4, 8)
    second = simulation.arrive([2] * 4, 4)
    simulation.scheduler.admit(now=1.0)
    simulation.send_back(second)
    simulation.scheduler.admit(now=2.0)

    assert second.status is Status.RUNNING
    assert second.admitted_at == 1.0


# Planning


def test_a_prompt_alone_fills_the_batch():
    simulation = Simulation(num_cells=100, batch_tokens=8, prefill_chunk_tokens=4)
    simulation.arrive([1] * 20, 8)

    assert [shares(simulation.step()) for _ in range(4)] == [
        [(1, 8, False)],
        [(1, 8, False)],
        [(1, 4, True)],
        [(1, 1, True)],
    ]


def test_prompts_are_chunked_while_anyone_decodes():
    simulation = Simulation(num_cells=100, batch_tokens=8, prefill_chunk_tokens=3)
    simulation.arrive([1], 8)
    simulation.step()
    simulation.arrive([2] * 4, 8)
    simulation.arrive([3] * 4, 8)

    assert [shares(simulation.step()) for _ in range(3)] == [
        [(1, 1, True), (2, 3, False)],
        [(1, 1, True), (2, 1, True), (3, 2, False)],
        [(1, 1, True), (2, 1, True), (3, 2, True)],
    ]


def test_several_short_prompts_share_a_batch():
    simulation = Simulation(num_cells=100, batch_tokens=8)
    for _ in range(3):
        simulation.arrive([1] * 3, 8)

    assert shares(simulation.step()) == [(1, 3, True), (2, 3, True), (3, 2, False)]


def test_decodes_leave_a_prompt_what_the_batch_has_left():
    simulation = Simulation(num_cells=100, batch_tokens=4, prefill_chunk_tokens=4)
    for _ in range(3):
        simulation.arrive([1], 8)
    simulation.step()
    simulation.arrive([1] * 9, 8)

    assert shares(simulation.step())[-1] == (4, 1, False)


def test_nobody_to_run_is_no_work():
    simulation = Simulation(num_cells=100)

    assert simulation.step() == []
    assert simulation.scheduler.is_idle


# Losing a place, and leaving


def test_when_cells_run_out_who_entered_last_waits_again():
    simulation = Simulation(num_cells=8, max_sequences=3)
    for number in range(3):
        simulation.arrive([7 + number], 6)
    for _ in range(3):
        simulation.step()

    assert ids(simulation.scheduler.running) == [1, 2]
    assert ids(simulation.scheduler.waiting) == [3]


def test_a_sequence_that_lost_its_place_goes_on_where_it_was():
    simulation = Simulation(num_cells=100, batch_tokens=100)
    sequence = simulation.arrive([1, 2, 3], 6)
    simulation.step()
    simulation.step()

    simulation.send_back(sequence)

    assert sequence.slot is None
    assert sequence.status is Status.WAITING
    assert (sequence.num_computed, sequence.num_pending) == (0, 5)
    works = simulation.step()
    assert (works[0].start, len(works[0].tokens), works[0].samples) == (4, 1, True)
    simulation.run()
    assert sequence.output_tokens == answer_of([1, 2, 3], 6)
    assert sequence.usage().cached_tokens == 0, "it had to be computed for it"


def test_a_sequence_whose_cells_others_got_is_computed_anew():
    simulation = Simulation(num_cells=16, batch_tokens=100)
    sequence = simulation.arrive([1, 2, 3], 6)
    simulation.step()
    simulation.step()
    written = list(sequence.output_tokens)
    simulation.send_back(sequence)
    other = simulation.scheduler.cache.try_enter(Path([5] * 14))
    simulation.move()
    simulation.scheduler.cache.leave(other.slot, Path([5] * 14), 0, keep=False)
    simulation.move()

    works = simulation.step()

    assert works[0].tokens == [1, 2, 3, *written]
    assert (works[0].start, works[0].samples) == (0, True)
    simulation.run()
    assert sequence.output_tokens == answer_of([1, 2, 3], 6)


def test_a_removed_sequence_leaves_its_slot_and_its_cells():
    simulation = Simulation(num_cells=100, max_sequences=1)
    first, second = simulation.arrive([1] * 4, 8), simulation.arrive([2] * 4, 8)
    simulation.step()

    simulation.remove(first)

    assert simulation.scheduler.cache.num_free == 100
    assert first.status is Status.FINISHED
    simulation.step()
    assert second.slot is not None


def test_a_waiting_sequence_can_be_removed():
    simulation = Simulation(num_cells=100)
    sequence = simulation.arrive([1], 8)

    simulation.remove(sequence)

    assert sequence.status is Status.FINISHED
    assert simulation.scheduler.is_idle


def test_sequences_may_be_removed_while_one_iterates():
    simulation = Simulation(num_cells=100, max_sequences=2)
    for _ in range(4):
        simulation.arrive([1], 8)
    simulation.step()

    for sequence in simulation.scheduler.sequences():
        simulation.scheduler.remove(sequence)

    assert simulation.scheduler.is_idle


# Several answers to one prompt


def together(simulation, prompt, *answers):
    return [simulation.arrive(prompt, max_tokens, group=1) for max_tokens in answers]


def test_a_prompt_is_computed_once_for_all_its_answers():
    simulation = Simulation(num_cells=100, batch_tokens=8)
    together(simulation, [1] * 12, 8, 8, 8)

    assert [shares(simulation.step()) for _ in range(4)] == [
        [(1, 8, False)],
        [(1, 4, True)],
        [(1, 1, True), (2, 1, True), (3, 1, True)],
        [(1, 1, True), (2, 1, True), (3, 1, True)],
    ]


def test_cells_of_a_shared_prompt_are_counted_once():
    simulation = Simulation(num_cells=100, batch_tokens=100)
    together(simulation, [1] * 12, 8, 8, 8)
    simulation.step()
    simulation.step()

    assert simulation.scheduler.cache.num_used == 12 + 1


def test_answers_of_one_token_share_their_prompt_too():
    simulation = Simulation(num_cells=100, batch_tokens=100)
    together(simulation, [1] * 12, 1, 1, 1)

    assert simulation.run() == 2
    assert simulation.num_computed == 12 + 1 + 1


def test_more_answers_fit_than_prompts_would():
    simulation = Simulation(num_cells=30, batch_tokens=100)
    sequences = together(simulation, [1] * 16, 3, 3, 3, 3)
    simulation.step()
    simulation.step()

    assert ids(simulation.scheduler.running) == ids(sequences)


def test_the_first_may_leave_before_the_others_have_entered():
    simulation = Simulation(num_cells=100, max_sequences=1)
    sequences = together(simulation, [1, 2, 3], 2, 2, 2)

    simulation.run()

    assert [s.output_tokens for s in sequences] == [answer_of([1, 2, 3], 2)] * 3
    assert simulation.num_computed == 3 + 1 + 2 + 2


def test_another_prompt_in_the_same_group_is_computed_by_itself():
    simulation = Simulation(num_cells=100, batch_tokens=100)
    simulation.arrive([1, 2, 3], 4, group=1)
    other = simulation.arrive([4, 2, 3], 4, group=1)

    simulation.run()

    assert other.output_tokens == answer_of([4, 2, 3], 4)


def test_where_cells_cannot_be_shared_each_computes_its_prompt():
    simulation = Simulation(num_cells=100, batch_tokens=100, can_share=False)
    together(simulation, [1] * 12, 8, 8)

    assert shares(simulation.step()) == [(1, 12, True), (2, 12, True)]


# Beginnings that several have in common

SYSTEM = [9] * 40


def test_who_comes_together_computes_a_common_beginning_once():
    simulation = Simulation(num_cells=400, batch_tokens=100)
    sequences = [simulation.arrive([*SYSTEM, number], 2) for number in range(4)]

    simulation.run()

    assert simulation.num_computed == len(SYSTEM) + 4 * 2
    assert [s.usage().cached_tokens for s in sequences] == [0, 40, 40, 40]


def test_a_conversation_goes_on_where_it_was_left():
    simulation = Simulation(num_cells=400)
    first = simulation.arrive([1, 2, 3], 4)
    simulation.run()
    turn = [1, 2, 3, *first.output_tokens, 5, 6]

    second = simulation.arrive(turn, 4)
    simulation.run()

    assert second.usage().cached_tokens == 6  # the last token of an answer is not computed
    assert second.output_tokens == answer_of(turn, 4)


def test_nothing_is_shared_between_owners():
    simulation = Simulation(num_cells=400, batch_tokens=100)
    simulation.arrive([*SYSTEM, 1], 2, owner="alice")
    bob = simulation.arrive([*SYSTEM, 1], 2, owner="bob")
    later = simulation.arrive([*SYSTEM, 1], 2, owner="bob", use_cache=False)

    simulation.run()

    assert [s.usage().cached_tokens for s in (bob, later)] == [0, 0]
    assert simulation.num_computed == 3 * (len(SYSTEM) + 2)


def test_what_is_public_is_computed_once_for_all_owners():
    simulation = Simulation(num_cells=400, batch_tokens=100)
    public = {"num_public": len(SYSTEM)}
    simulation.arrive([*SYSTEM, 1], 2, owner="alice", **public)
    bob = simulation.arrive([*SYSTEM, 1], 2, owner="bob", **public)

    simulation.run()

    assert bob.usage().cached_tokens == len(SYSTEM)


@pytest.mark.parametrize("fields", [{"use_cache": False}, {"adapter": "kind"}])
def test_what_is_public_is_nothing_to_who_computes_otherwise(fields):
    simulation = Simulation(num_cells=400, batch_tokens=100)
    public = {"num_public": len(SYSTEM)}
    simulation.arrive([*SYSTEM, 1], 2, owner="alice", **public)
    bob = simulation.arrive([*SYSTEM, 1], 2, owner="bob", **public, **fields)
    simulation.run()
    later = simulation.arrive([*SYSTEM, 1], 2, owner="bob", **public, **fields)
    simulation.run()

    own = len(SYSTEM) if "adapter" in fields else 0
    assert [s.usage().cached_tokens for s in (bob, later)] == [0, own]


def test_a_common_beginning_is_computed_by_the_next_if_the_first_leaves():
    simulation = Simulation(num_cells=400, batch_tokens=8)
    first = simulation.arrive([*SYSTEM, 1], 2)
    second = simulation.arrive([*SYSTEM, 2], 2)
    simulation.step()
    assert ids(simulation.scheduler.running) == [first.id]

    simulation.remove(first)
    simulation.run()

    assert second.output_tokens == answer_of([*SYSTEM, 2], 2)
    assert simulation.num_computed == len(SYSTEM) + 2, "what the first had computed was kept"


# Images


def test_an_image_takes_turns_with_those_who_write():
    simulation = Simulation(64, batch_tokens=4, prefill_chunk_tokens=4)
    writer = simulation.arrive([1, 2], 20)
    simulation.step()
    seer = simulation.arrive([3, 9, 9, 9, 9, 9, 9, 4], 4, spans=(Span(1, 7, IMAGE),))

    steps = [shares(simulation.step()) for _ in range(5)]

    assert steps == [
        [(writer.id, 1, True), (seer.id, 1, False)],
        [(seer.id, 4, False)],
        [(writer.id, 1, True)],
        [(seer.id, 2, False)],
        [(writer.id, 1, True), (seer.id, 1, True)],
    ]


def test_a_whole_image_is_computed_in_one_step():
    simulation = Simulation(64, batch_tokens=8, prefill_chunk_tokens=2)
    spans = (Span(2, 8, IMAGE, is_whole=True),)
    simulation.arrive([1, 1, 9, 9, 9, 9, 9, 9, 2], 1, spans=spans)
    assert [len(work.tokens) for _ in range(3) for work in simulation.step()] == [2, 6, 1]


def test_two_images_in_a_row_are_two_steps():
    simulation = Simulation(64)
    spans = (Span(0, 3, IMAGE), Span(3, 5, IMAGE, 1))
    simulation.arrive([9, 9, 9, 8, 8, 1], 1, spans=spans)
    works = [work for _ in range(3) for work in simulation.step()]
    assert [work.span for work in works] == [*spans, None]


def test_a_short_prompt_beside_anothers_crowd_is_computed_before_all_else():
    simulation = Simulation(num_cells=400, batch_tokens=64, prefill_chunk_tokens=4)
    for number in range(3):
        simulation.arrive([number + 1], 40, owner="alice")
    simulation.step()
    bob = simulation.arrive([1, 2, 3] * 5, 9, owner="bob")

    assert shares(simulation.step()) == [(bob.id, 15, True)]


def test_nobody_waits_for_two_newcomers_in_a_row():
    simulation = Simulation(num_cells=400, batch_tokens=64, prefill_chunk_tokens=4)
    alice = simulation.arrive([1], 40, owner="alice")
    simulation.step()
    bob = simulation.arrive([1, 2, 3] * 5, 9, owner="bob")
    carol = simulation.arrive([2, 2, 3] * 5, 9, owner="carol")
    steps = [shares(simulation.step()) for _ in range(3)]

    assert steps[0] == [(bob.id, 15, True)]
    assert [id for id, *_ in steps[1]] == [alice.id, bob.id, carol.id]
    assert steps[2] == [(carol.id, 11, True)]


def test_nobody_waits_for_an_image_after_a_newcomer():
    simulation = Simulation(num_cells=400, batch_tokens=64, prefill_chunk_tokens=4)
    alice = simulation.arrive([1], 40, owner="alice")
    simulation.step()
    bob = simulation.arrive([1, 2, 3] * 5, 9, owner="bob")
    carol = simulation.arrive([9, 9], 2, owner="carol", spans=(Span(0, 2, IMAGE, 0, True),))
    simulation.scheduler.admit(0)
    simulation.scheduler._lanes.next([carol])  # its turn has been: it is not new
    steps = [[id for id, *_ in shares(simulation.step())] for _ in range(3)]

    assert steps == [[bob.id], [alice.id, bob.id], [carol.id]]


def test_a_newcomers_prompt_goes_before_those_of_a_crowd_that_came_first():
    simulation = Simulation(num_cells=400, batch_tokens=64, prefill_chunk_tokens=4)
    simulation.arrive([1], 40, owner="alice")
    simulation.step()
    for _ in range(2):
        simulation.arrive([1, 2] * 10, 9, owner="alice")
    simulation.step()
    bob = simulation.arrive([1, 2, 3] * 5, 9, owner="bob")

    assert shares(simulation.step()) == [(bob.id, 15, True)], "in its first step"


def test_of_an_owner_with_an_answer_under_way_it_is_not():
    simulation = Simulation(num_cells=400, batch_tokens=64, prefill_chunk_tokens=4)
    simulation.arrive([1], 40, owner="alice")
    simulation.arrive([2], 40, owner="bob")
    simulation.step()
    bob = simulation.arrive([1, 3, 2] * 5, 9, owner="bob")

    assert shares(simulation.step())[-1] == (bob.id, 4, False)


def test_a_long_prompt_beside_anothers_crowd_is_not():
    simulation = Simulation(num_cells=400, batch_tokens=64, prefill_chunk_tokens=4)
    simulation.arrive([1], 40, owner="alice")
    simulation.step()
    bob = simulation.arrive([1, 2] * 13, 9, owner="bob")

    assert shares(simulation.step())[-1] == (bob.id, 4, False)
