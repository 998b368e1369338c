"""Does to a scheduler what an engine does, with a model that is a function of its cells."""

from dataclasses import dataclass

from inference.engine.kvcache import Copy, Cut, KvCache, Move, Save
from inference.engine.request import Request, Sequence
from inference.engine.sampling import SamplingParams
from inference.engine.scheduler import Scheduler, Work
from inference.engine.tempo import Tempo
from inference.engine.text import TextStream


def make_sequence(
    id: int, prompt: list[int], max_tokens: int, num_public=0, spans=(), **fields
) -> Sequence:
    params = SamplingParams(max_tokens=max_tokens)
    return Sequence(
        request=Request(id=id, tokens=prompt, params=params, **fields),
        prompt_tokens=prompt,
        max_tokens=max_tokens,
        text=TextStream(),
        submitted_at=0,
        num_public=min(num_public, len(prompt)),
        spans=spans,
    )


def next_token(tokens: list[int]) -> int:
    """Depends on every token and on its place, so that a cell too few or wrong shows."""
    return sum(place * token for place, token in enumerate(tokens, 1)) % 1009


def answer_of(prompt: list[int], max_tokens: int) -> list[int]:
    """What a sequence writes that nobody ever disturbs."""
    tokens = list(prompt)
    for _ in range(max_tokens):
        tokens.append(next_token(tokens))
    return tokens[len(prompt) :]


@dataclass(eq=False, slots=True)
class Cell:
    """One of the KV cache, which several slots may have.

    `salt` is that of the sequence it was computed for, None if it may be anybody's. One that
    is `odd`, or behind such a one, is not where its place in the sequence says.
    """

    token: int
    salt: str | None
    is_odd: bool = False


class Slots:
    """The cells of a backend, as its moves change them."""

    def __init__(self) -> None:
        self.cells: dict[int, list[Cell | None]] = {}
        self.saved: list[Save] = []

    def __getitem__(self, slot: int) -> list[Cell | None]:
        return self.cells.setdefault(slot, [])

    def apply(self, moves: list[Move]) -> None:
        for move in moves:
            self._apply(move)

    def _apply(self, move: Move) -> None:
        match move:
            case Copy(source, slot, start, end):
                copied = self[source][start:end]
                assert len(copied) == end - start
                assert not any(cell.is_odd for cell in copied)
                cells = self[slot]
                cells += [None] * (start - len(cells))
                assert not any(cells[start:end])
                cells[start:end] = copied
            case Cut(slot, start, None):
                assert not any(cell and cell.is_odd for cell in self[slot][:start])
                del self[slot][start:]
            case Cut(slot, start, end):
                assert not any(cell and cell.is_odd for cell in self[slot][start:end])
                self[slot][start:end] = [None] * (end - start)
            case Save(slot, path):
                assert tokens_of(self[slot]) == path.tokens
                self.saved.append(move)

    @property
    def num_used(self) -> int:
        return len({id(cell) for cells in self.cells.values() for cell in cells})


def check_span(work: Work, works: list[Work]) -> None:
    """Of an image no part is computed beside anything else."""
    places = range(work.start, work.start + len(work.tokens))
    parts = [s for s in work.sequence.spans if s.start < places.stop and places.start < s.end]
    assert parts == ([work.span] if work.span else [])
    if work.span:
        assert works == [work]
        assert work.span.start <= places.start
        assert places.stop <= work.span.end
        assert places.stop == work.span.end or not work.span.is_whole


def tokens_of(cells: list[Cell]) -> list[int]:
    return [cell.token for cell in cells]


class Simulation:
    def __init__(
        self,
        num_cells: int,
        max_sequences: int = 4,
        batch_tokens: int = 8,
        prefill_chunk_tokens: int = 4,
        can_share: bool = True,
        num_idle_slots: int = 4,
        max_idle_cells: int | None = None,
    ) -> None:
        cache = KvCache(
            num_cells,
            max_sequences,
            num_idle_slots=num_idle_slots if can_share else 0,
            can_share=can_share,
            max_idle_cells=max_idle_cells,
        )
        self.scheduler = Scheduler(
            cache,
            max_sequences=max_sequences,
            batch_tokens=batch_tokens,
            tempo=Tempo(prefill_chunk_tokens, most=batch_tokens, target_seconds=0),
        )
        self.slots = Slots()
        self.now = 0.0
        self.num_computed = 0
        self.finished: list[Sequence] = []
        self._count = 0

    def arrive(self, prompt: list[int], max_tokens: int, **fields) -> Sequence:
        self._count += 1
        sequence = make_sequence(self._count, prompt, max_tokens, **fields)
        sequence.submitted_at = self.now
        self.scheduler.add(sequence)
        return sequence

    def remove(self, sequence: Sequence) -> None:
        self.scheduler.remove(sequence)
        self.move()

    def send_back(self, sequence: Sequence) -> None:
        self.scheduler.send_back(sequence, self.now)
        self.move()

    def compact(self) -> None:
        self.scheduler.compact(self.now)
        self.move()
        assert self.slots.num_used == 0

    def plan(self) -> list[Work]:
        self.scheduler.make_room(self.now)
        entered = self.scheduler.admit(self.now)
        self.move()
        if any(sequence.is_alone for sequence in entered):
            assert self.slots.num_used == 0
        for sequence in entered:
            self.enter(sequence)
        works = self.scheduler.plan()
        self.move()
        return works

    def enter(self, sequence: Sequence) -> None:
        """It has a slot, with what the cache had of it."""

    def move(self) -> None:
        self.slots.apply(self.scheduler.cache.take_moves())

    def settle(self, works: list[Work]) -> None:
        for work in works:
            check_span(work, works)
            self._compute(work)
        self.scheduler.settle(works)
        self.move()
        for work in works:
            if work.samples:
                self._sample(work.sequence)

    def step(self) -> list[Work]:
        works = self.plan()
        self.settle(works)
        return works

    def run(self) -> int:
        """Until nothing is left; return how many steps it took."""
        steps = 0
        while not self.scheduler.is_idle:
            assert self.step(), "a step without work while somebody waits"
            steps += 1
        return steps

    def _compute(self, work: Work) -> None:
        sequence, cells = work.sequence, self.slots[work.sequence.slot]
        assert len(cells) == work.start == sequence.num_computed
        for place, token in enumerate(work.tokens, work.start):
            salt = None if place < sequence.num_shared else sequence.salt
            cells.append(Cell(token, salt, place >= sequence.num_findable))
        self.num_computed += len(work.tokens)
        assert tokens_of(cells) == sequence.path.tokens[: len(cells)]
        assert {cell.salt for cell in cells} <= {None, sequence.salt}, "another owner's cells"

    def _sample(self, sequence: Sequence) -> None:
        sequence.output_tokens.append(next_token(tokens_of(self.slots[sequence.slot])))
        if len(sequence.output_tokens) == sequence.max_tokens:
            self.remove(sequence)
            self.finished.append(sequence)
