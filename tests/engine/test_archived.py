"""Any arrivals, cancellations, failures and steps, where what leaves the cache is kept elsewhere
and comes back.
"""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from inference.engine import archive, kvcache
from inference.engine.archive import Archive
from inference.engine.kvcache import Copy, Cut, Move, Save
from inference.engine.radix import PASSING
from inference.engine.request import Sequence
from inference.engine.snapshots import SnapshotStore
from inference.engine.upkeep import owner_digest

from .simulation import Cell, Simulation, answer_of
from .test_scheduler import CONTEXT, Scheduling

BYTES_EACH = 24  # of a cell's state, about


class Archived(Simulation):
    """Is the backend whose slots are saved and restored, too."""

    def __init__(self, *args, ram_bytes: int, **options) -> None:
        super().__init__(*args, **options)
        self.store = SnapshotStore("f", None, ram_bytes, 0)
        cache = self.scheduler.cache
        self.archive = Archive(self, cache, self.store, self.do, lambda: self.now)
        self.seconds_of_saving = 0.0
        self.does_restore = True
        self.num_restored = 0

    def move(self) -> None:
        for move in self.scheduler.cache.take_moves():
            self.do(move)

    def do(self, move: Move) -> None:
        self.slots.apply([move])
        if isinstance(move, Save):
            self.archive.save(move.slot, move.path)

    def enter(self, sequence: Sequence) -> None:
        before, cells = sequence.num_computed, self.slots[sequence.slot]
        self.archive.restore(sequence)
        assert sequence.num_computed >= before
        self.num_restored += sequence.num_computed - before
        for cell in cells[: sequence.num_shared]:
            assert cell.salt in (None, sequence.salt)
            cell.salt = None  # the same tokens, and public where they are now

    def fail(self) -> None:
        """As an engine does after a failed step."""
        for sequence in [*self.scheduler.running]:
            self.scheduler.remove(sequence)
        self.scheduler.cache.clear()
        self.slots.cells.clear()

    def forget(self, owner: str) -> None:
        """As an engine does whose account was deleted."""
        self.move()
        self.scheduler.cache.drop_idle(lambda path: path.owner == owner)
        self.move()
        self.store.forget({owner_digest(owner)})

    # What the archive asks of a backend

    def save(self, slot: int) -> bytes:
        self.now += self.seconds_of_saving
        cells = self.slots[slot]
        assert not any(cell.is_odd or PASSING in (cell.salt or "") for cell in cells)
        return msgspec.json.encode([(cell.token, cell.salt) for cell in cells])

    def cut(self, slot: int, start: int, end: int | None) -> None:
        self.slots.apply([Cut(slot, start, end)])

    def copy(self, source: int, slot: int, start: int, end: int) -> None:
        self.slots.apply([Copy(source, slot, start, end)])

    def restore(self, slot: int, state: bytes, num_tokens: int) -> bool:
        cells = [Cell(token, salt) for token, salt in msgspec.json.decode(state)]
        num_cells = self.scheduler.cache.num_cells
        assert self.slots.num_used + len(cells) <= num_cells, "all of it is there for a moment"
        if self.does_restore:
            self.slots[slot][:] = cells[:num_tokens]
        return self.does_restore


@pytest.fixture
def short(monkeypatch):
    """As sequences are here."""
    monkeypatch.setattr(kvcache, "LEAST_SAVED_TOKENS", 2)
    monkeypatch.setattr(archive, "LEAST_SAVED_TOKENS", 2)
    monkeypatch.setattr(archive, "LEAST_RESTORED_TOKENS", 1)


class Archiving(Scheduling):
    @initialize(
        num_cells=st.integers(CONTEXT, 3 * CONTEXT),
        max_sequences=st.integers(1, 5),
        spare_tokens=st.integers(0, 12),
        chunk=st.integers(1, 8),
        num_idle_slots=st.integers(0, 4),
        max_idle_cells=st.none() | st.integers(0, CONTEXT),
        ram_bytes=st.sampled_from([10 * BYTES_EACH, 100 * BYTES_EACH, 2**20]),
        seconds_of_saving=st.sampled_from([0.0, 10.0]),
    )
    def start(
        self, num_cells, max_sequences, spare_tokens, chunk, seconds_of_saving=0.0, **options
    ):
        self.batch_tokens = batch_tokens = max_sequences + spare_tokens
        self.simulation = Archived(num_cells, max_sequences, batch_tokens, chunk, **options)
        self.simulation.seconds_of_saving = seconds_of_saving
        self.simulation.archive.note_computed(1, 1.0)
        self.scheduler = self.simulation.scheduler
        self.arrived, self.cancelled = [], []
        self.have_waited = False

    @precondition(lambda self: self.simulation.finished)
    @rule(
        indices=st.lists(st.integers(0, 100), min_size=1, max_size=4),
        length=st.integers(2, 20),
        more=st.lists(st.integers(1, 3), min_size=1, max_size=4),
        num_steps=st.integers(0, 12),
    )
    def go_on(self, indices, length, more, num_steps):
        """Conversations, as far as they came or from somewhere before; and steps."""
        for index in indices:
            before = self.simulation.finished[index % len(self.simulation.finished)]
            prompt = [*before.prompt_tokens, *before.output_tokens][:length]
            owner = before.request.owner
            self.arrived.append(self.simulation.arrive([*prompt, *more], 2, owner=owner))
        for _ in range(num_steps):
            self.step()

    @rule(num_steps=st.integers(1, 12))
    def steps(self, num_steps):
        for _ in range(num_steps):
            self.step()

    @rule(does_restore=st.booleans())
    def restore_one(self, does_restore):
        """A state may turn out to be of no use."""
        self.simulation.does_restore = does_restore
        self.step()
        self.simulation.does_restore = True

    @precondition(lambda self: self.scheduler.is_idle)
    @rule()
    def rest(self):
        while self.simulation.archive.keep_one():
            pass
        self.simulation.move()

    @rule(owner=st.sampled_from(["alice", "bob"]))
    def forget(self, owner):
        self.simulation.forget(owner)
        held = [path.owner for _, path in self.scheduler.cache.idle()]
        live = {sequence.salt for sequence in self.scheduler.running}
        assert owner not in held or owner in live
        assert self.simulation.store.find(owner, [1]) is None

    @rule()
    def fail(self):
        self.cancelled += self.scheduler.running
        self.simulation.fail()

    @invariant()
    def memory_is_bounded(self):
        store = self.simulation.store
        assert store._num_kept == sum(one.num_bytes for one in store._kept) <= store._max_kept

    def teardown(self):
        super().teardown()
        self.simulation.archive.close()


@pytest.mark.usefixtures("short")
class TestArchiving(Archiving.TestCase):
    settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


turns = st.tuples(
    st.integers(0, 5),  # of which conversation
    st.lists(st.integers(1, 2), min_size=1, max_size=4),  # what is said
    st.integers(0, 8),  # steps until the next
    st.booleans(),  # whether a state is of use then
)
SYSTEM_PROMPT = [3, 1, 3]


@pytest.mark.usefixtures("short")
@settings(max_examples=200, deadline=None)
@given(
    st.lists(turns, min_size=10, max_size=40),
    st.integers(CONTEXT, 2 * CONTEXT),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([0.0, 10.0]),
)
def test_conversations_that_take_turns_in_a_small_cache(
    told, num_cells, max_sequences, num_idle_slots, seconds_of_saving
):
    archived = Archived(
        *(num_cells, max_sequences, 8, 4), num_idle_slots=num_idle_slots, ram_bytes=2**20
    )
    archived.seconds_of_saving = seconds_of_saving
    archived.archive.note_computed(1, 1.0)
    last: dict[int, Sequence] = {}
    for number, said, num_steps, archived.does_restore in told:
        before = last.get(number)
        so_far = [*before.prompt_tokens, *before.output_tokens] if before else SYSTEM_PROMPT
        prompt = [*(so_far if len(so_far) + len(said) < 24 else SYSTEM_PROMPT), *said]
        owner = "alice" if number % 2 else "bob"
        last[number] = archived.arrive(prompt, 3, owner=owner, num_public=len(SYSTEM_PROMPT))
        for _ in range(num_steps):
            archived.step()
            cache = archived.scheduler.cache
            assert archived.slots.num_used <= cache.num_used <= cache.num_cells
        if archived.scheduler.is_idle:
            archived.archive.keep_one()
            archived.move()
    archived.run()

    assert len(archived.finished) == len(told)
    for one in archived.finished:
        assert one.output_tokens == answer_of(one.prompt_tokens, one.max_tokens)


@pytest.mark.usefixtures("short")
def test_what_comes_back_is_not_computed():
    """Else all that is above could be true of an archive that keeps nothing."""
    archived = Archived(40, 2, 8, 8, num_idle_slots=2, ram_bytes=2**20)
    prompts = [[token] * 20 for token in (1, 2, 3)]
    for prompt in [*prompts, *prompts]:
        archived.arrive(prompt, 2, owner="alice")
        archived.run()

    assert archived.num_restored > 30
