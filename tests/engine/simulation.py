"""Does to a scheduler what an engine does, with a model that is a function of its cells."""

from dataclasses import dataclass

from inference.engine.kvcache import KvCache
from inference.engine.request import Request, Sequence
from inference.engine.sampling import SamplingParams
from inference.engine.scheduler import Scheduler, Work
from inference.engine.text import TextStream


def make_sequence(
    id: int,
    prompt: list[int],
    max_tokens: int,
    submitted_at: float = 0,
    priority: int = 1,
    group: int | None = None,
) -> Sequence:
    params = SamplingParams(max_tokens=max_tokens)
    return Sequence(
        request=Request(id=id, tokens=prompt, params=params, priority=priority, group=group),
        prompt_tokens=prompt,
        max_tokens=max_tokens,
        text=TextStream(),
        submitted_at=submitted_at,
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
    """One of the KV cache, which several slots may have."""

    token: int


class Simulation:
    def __init__(
        self,
        num_cells: int,
        max_sequences: int = 4,
        batch_tokens: int = 8,
        prefill_chunk_tokens: int = 4,
        can_share: bool = True,
    ) -> None:
        self.scheduler = Scheduler(
            KvCache(num_cells),
            max_sequences=max_sequences,
            batch_tokens=batch_tokens,
            prefill_chunk_tokens=prefill_chunk_tokens,
            can_share=can_share,
        )
        self.cells: dict[int, list[Cell]] = {slot: [] for slot in range(max_sequences)}
        self.num_sent_back = 0
        self.finished: list[Sequence] = []
        self._count = 0

    @property
    def num_cells_in_use(self) -> int:
        return len({id(cell) for cells in self.cells.values() for cell in cells})

    def arrive(
        self, prompt: list[int], max_tokens: int, priority: int = 1, group: int | None = None
    ) -> Sequence:
        self._count += 1
        sequence = make_sequence(self._count, prompt, max_tokens, priority=priority, group=group)
        self.scheduler.add(sequence)
        return sequence

    def remove(self, sequence: Sequence) -> None:
        slot = self.scheduler.remove(sequence)
        if slot is not None:
            self.cells[slot].clear()

    def plan(self, now: float = 0) -> list[Work]:
        for slot in self.scheduler.make_room():
            self.num_sent_back += 1
            self.cells[slot].clear()
        for sequence in self.scheduler.admit(now):
            self._copy(sequence)
        return self.scheduler.plan()

    def _copy(self, sequence: Sequence) -> None:
        assert not self.cells[sequence.slot]
        if sequence.source is not None:
            source = self.cells[sequence.source]
            assert len(source) >= sequence.num_computed
            self.cells[sequence.slot] = source[: sequence.num_computed]

    def settle(self, works: list[Work]) -> None:
        for work in works:
            self._compute(work)
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
        sequence, cells = work.sequence, self.cells[work.sequence.slot]
        assert len(cells) == work.start == sequence.num_computed
        cells += map(Cell, work.tokens)
        sequence.num_computed += len(work.tokens)
        assert [cell.token for cell in cells] == [*sequence.prompt_tokens, *sequence.output_tokens][
            : len(cells)
        ]

    def _sample(self, sequence: Sequence) -> None:
        sequence.output_tokens.append(
            next_token([cell.token for cell in self.cells[sequence.slot]])
        )
        if len(sequence.output_tokens) == sequence.max_tokens:
            self.remove(sequence)
            self.finished.append(sequence)
