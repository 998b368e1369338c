from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inference.engine.request import Status
from tests.engine.simulation import Simulation, answer_of

prompts = st.lists(st.integers(1, 1000), min_size=1, max_size=24)
CONTEXT = 32  # tokens of one sequence, in all tests


def shares(works):
    """Who computes how many tokens, and whether the next one is sampled."""
    return [(work.sequence.id, len(work.tokens), work.samples) for work in works]


def num_spared(running):
    """Cells that the first of each group holds for the others, too."""
    together = (s for s in running if s.request.group is not None)
    sizes = Counter((s.request.group, s.num_shareable) for s in together)
    return sum((size - 1) * tokens for (_, tokens), size in sizes.items())


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
    )
    def start(self, num_cells, max_sequences, spare_tokens, chunk, can_share):
        batch_tokens = max_sequences + spare_tokens
        self.simulation = Simulation(num_cells, max_sequences, batch_tokens, chunk, can_share)
        self.scheduler = self.simulation.scheduler
        self.arrived = []
        self.cancelled = []

    @rule(prompt=prompts, max_tokens=st.integers(1, CONTEXT - 24))
    def arrive(self, prompt, max_tokens):
        self.arrived.append(self.simulation.arrive(prompt, max_tokens))

    @rule(prompt=prompts, answers=st.lists(st.integers(1, CONTEXT - 24), min_size=2, max_size=4))
    def arrive_together(self, prompt, answers):
        group = len(self.arrived)
        for max_tokens in answers:
            self.arrived.append(self.simulation.arrive(prompt, max_tokens, group=group))

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
        self.check_cells()
        self.check(works)
        self.simulation.settle(works)

    def check_cells(self):
        cache, running = self.scheduler.cache, self.scheduler.running
        shared = num_spared(running) if self.scheduler.can_share else 0
        assert cache.num_used == sum(sequence.num_tokens for sequence in running) - shared
        assert cache.num_used <= cache.num_cells

    def check(self, works):
        decoding = [s for s in self.scheduler.running if s.is_decoding]
        prompt_tokens = sum(len(w.tokens) for w in works if not w.sequence.is_decoding)
        assert sum(len(work.tokens) for work in works) <= self.scheduler.batch_tokens
        assert not decoding or prompt_tokens <= self.scheduler.prefill_chunk_tokens
        assert {s.id for s in decoding} <= {work.sequence.id for work in works}
        assert len({work.sequence.id for work in works}) == len(works)
        assert all(work.tokens for work in works)
        assert bool(works) == bool(self.scheduler.running)

    @invariant()
    def slots_are_never_shared(self):
        slots = [sequence.slot for sequence in self.scheduler.running]
        assert len(set(slots)) == len(slots)
        assert set(slots) <= set(self.simulation.cells)
        assert all(sequence.slot is None for sequence in self.scheduler.waiting)

    @invariant()
    def cells_lie_where_they_are_held(self):
        used = self.simulation.num_cells_in_use
        assert used <= self.scheduler.cache.num_used <= self.scheduler.cache.num_cells

    @invariant()
    def whoever_came_first_is_served_first(self):
        living = ids(self.scheduler.sequences())
        assert living == sorted(living)

    @invariant()
    def nobody_is_lost_or_doubled(self):
        gone = ids(self.simulation.finished) + ids(self.cancelled)
        assert sorted(ids(self.scheduler.sequences()) + gone) == ids(self.arrived)

    @invariant()
    def the_status_says_where_a_sequence_is(self):
        assert {s.status for s in self.scheduler.running} <= {Status.RUNNING}
        assert {s.status for s in self.scheduler.waiting} <= {Status.WAITING}
        assert {s.status for s in self.cancelled + self.simulation.finished} <= {Status.FINISHED}

    def teardown(self):
        """Nothing new arrives: whoever came first computes something in each step."""
        left = self.scheduler.sequences()
        assert self.simulation.run() <= sum(len(s.prompt_tokens) + s.max_tokens for s in left)
        assert self.scheduler.cache.num_used == 0
        for sequence in self.simulation.finished:
            assert sequence.output_tokens == answer_of(sequence.prompt_tokens, sequence.max_tokens)


class TestScheduling(Scheduling.TestCase):
    settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


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
        simulation.arrive([1], 8, priority)

    assert ids(simulation.scheduler.waiting) == [4, 7, 3, 5, 2, 6]


def test_nobody_overtakes_who_was_sent_back():
    simulation = Simulation(num_cells=100)
    simulation.arrive([1], 8, priority=2)
    simulation.scheduler.admit(now=0)
    simulation.scheduler.send_back()

    simulation.arrive([1], 8, priority=0)

    assert ids(simulation.scheduler.waiting) == [1, 2]


def test_a_sequence_enters_when_all_can_still_sample_a_token():
    simulation = Simulation(num_cells=11)
    simulation.arrive([1] * 4, 8)
    simulation.arrive([1] * 6, 8)
    simulation.arrive([1], 8)

    assert ids(simulation.scheduler.admit(0)) == [1]
    assert simulation.scheduler.cache.num_free == 7


def test_cells_for_prompts_and_a_token_each_are_enough_to_enter():
    simulation = Simulation(num_cells=12)
    simulation.arrive([1] * 4, 8)
    simulation.arrive([1] * 6, 8)

    assert ids(simulation.scheduler.admit(0)) == [1, 2]


def test_a_short_prompt_does_not_overtake_a_long_one():
    simulation = Simulation(num_cells=40)
    simulation.arrive([1] * 20, 8)
    simulation.step()
    simulation.arrive([1] * 24, 8)
    simulation.arrive([1], 8)

    simulation.step()

    assert ids(simulation.scheduler.running) == [1]
    assert ids(simulation.scheduler.waiting) == [2, 3]


def test_a_prompt_that_fills_the_cache_enters_alone():
    simulation = Simulation(num_cells=24)
    sequence = simulation.arrive([1] * 24, 1)

    simulation.run()

    assert sequence.output_tokens == answer_of([1] * 24, 1)


def test_the_time_of_entry_is_the_first():
    simulation = Simulation(num_cells=12, max_sequences=2)
    simulation.arrive([1] * 4, 8)
    second = simulation.arrive([1] * 4, 4)
    simulation.scheduler.admit(now=1.0)
    simulation.scheduler.send_back()
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
    simulation.arrive([1] * 4, 8)
    simulation.arrive([1] * 4, 8)

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
    for _ in range(3):
        simulation.arrive([7], 6)
    for _ in range(3):
        simulation.step()

    assert simulation.num_sent_back == 1
    assert ids(simulation.scheduler.running) == [1, 2]
    assert ids(simulation.scheduler.waiting) == [3]


def test_a_sequence_that_lost_its_place_keeps_its_tokens_and_is_computed_anew():
    simulation = Simulation(num_cells=100, batch_tokens=100)
    sequence = simulation.arrive([1, 2, 3], 6)
    simulation.step()
    simulation.step()
    written = list(sequence.output_tokens)

    simulation.cells[simulation.scheduler.send_back()].clear()

    assert sequence.slot is None
    assert sequence.status is Status.WAITING
    assert (sequence.num_computed, sequence.num_pending) == (0, 5)
    assert simulation.scheduler.cache.num_used == 0
    works = simulation.step()
    assert works[0].tokens == [1, 2, 3, *written]
    assert (works[0].start, works[0].samples) == (0, True)
    simulation.run()
    assert sequence.output_tokens == answer_of([1, 2, 3], 6)


def test_those_sent_back_wait_in_the_order_they_came():
    simulation = Simulation(num_cells=100)
    for _ in range(5):
        simulation.arrive([1], 8)
    simulation.step()

    simulation.scheduler.send_back()
    simulation.scheduler.send_back()

    assert ids(simulation.scheduler.running) == [1, 2]
    assert ids(simulation.scheduler.waiting) == [3, 4, 5]


def test_a_removed_sequence_leaves_its_slot_and_its_cells():
    simulation = Simulation(num_cells=100, max_sequences=1)
    first, second = simulation.arrive([1] * 4, 8), simulation.arrive([1] * 4, 8)
    simulation.step()

    assert simulation.scheduler.remove(first) == 0
    assert simulation.scheduler.cache.num_used == 0
    assert first.status is Status.FINISHED
    simulation.cells[0].clear()
    simulation.step()
    assert second.slot == 0


def test_a_waiting_sequence_leaves_no_slot():
    simulation = Simulation(num_cells=100)
    sequence = simulation.arrive([1], 8)

    assert simulation.scheduler.remove(sequence) is None
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
        [(1, 3, False)],
        [(1, 1, True), (2, 1, True), (3, 1, True)],
        [(1, 1, True), (2, 1, True), (3, 1, True)],
    ]


def test_cells_of_a_shared_prompt_are_counted_once():
    simulation = Simulation(num_cells=100, batch_tokens=100)
    together(simulation, [1] * 12, 8, 8, 8)
    simulation.step()
    simulation.step()

    assert simulation.scheduler.cache.num_used == 11 + 1 + 1 + 1
    assert simulation.num_cells_in_use == 11 + 1 + 1 + 1


def test_answers_of_one_token_share_their_prompt_too():
    simulation = Simulation(num_cells=100, batch_tokens=100)
    together(simulation, [1] * 12, 1, 1, 1)

    assert simulation.run() == 2


def test_more_answers_fit_than_prompts_would():
    simulation = Simulation(num_cells=30, batch_tokens=100)
    sequences = together(simulation, [1] * 16, 3, 3, 3, 3)
    simulation.step()
    simulation.step()

    assert ids(simulation.scheduler.running) == ids(sequences)
    simulation.run()
    assert simulation.num_sent_back == 0


def test_the_first_may_leave_before_the_others_have_entered():
    simulation = Simulation(num_cells=100, max_sequences=1)
    sequences = together(simulation, [1, 2, 3], 2, 2, 2)

    simulation.run()

    assert [s.output_tokens for s in sequences] == [answer_of([1, 2, 3], 2)] * 3


def test_whoever_is_left_keeps_the_shared_cells_for_the_next():
    simulation = Simulation(num_cells=100, max_sequences=2, batch_tokens=100)
    first, second, third = together(simulation, [1] * 12, 8, 8, 8)
    simulation.step()
    simulation.step()

    simulation.remove(first)
    simulation.step()

    assert third.source == second.slot
    assert simulation.scheduler.cache.num_used == 11 + 2 + 1


def test_another_prompt_in_the_same_group_is_computed_by_itself():
    simulation = Simulation(num_cells=100, batch_tokens=100)
    simulation.arrive([1, 2, 3], 4, group=1)
    other = simulation.arrive([1, 2, 4], 4, group=1)

    simulation.run()

    assert other.output_tokens == answer_of([1, 2, 4], 4)


def test_where_cells_cannot_be_shared_each_computes_its_prompt():
    simulation = Simulation(num_cells=100, batch_tokens=100, can_share=False)
    together(simulation, [1] * 12, 8, 8)

    assert shares(simulation.step()) == [(1, 12, True), (2, 12, True)]
