"""A model that needs no weights: it echoes the prompt, one token a word.

Words of the prompt steer it: `crash` ends the process, `fail` the step, for `now` it writes
the time, in seconds since 1970, for `¶` a new line, for `seed` the request's seed, and for
`adapter` the name of its adapter; one with a scale below 0 fits no model. With a projector it
sees an image as `pixels`, four of them. The larger the seed
is, up to 7, the less likely are its tokens. An answer that has to have a form
owes nothing to the prompt but its thoughts: it is the shortest, or nearly.
"""

import collections.abc
import os
import re
import time

import msgspec

from . import bytewise
from .backend import Vectors, nothing
from .bytewise import END
from .config import EngineConfig, EngineInfo
from .errors import DecodeFailed, ModelLoadFailed
from .fake_draft import DRAFT_TOKENS, FakeDrafter
from .grammar import Constraint, Grammar
from .image import Image
from .logprobs import Ranks
from .request import Sequence
from .scheduler import Work
from .snapshot_file import State
from .thoughts import OPENING

CONTEXT_LENGTH = 4096
BATCH_TOKENS = 512
IDLE_SLOTS = 16
PIXELS = 4  # of an image


class FakeEyes:
    """Sees that there is something; in an image without `IEND`, not even that."""

    salt = "fake"

    def look(self, image: Image) -> list[list[int] | Vectors]:
        if b"IEND" not in image.data:
            raise image.refused("cannot be decoded")
        return [Vectors(PIXELS)]


class FakeBackend:
    max_token_length = 1_000
    seams: re.Pattern[str] | None = None

    def __init__(self, config: EngineConfig) -> None:
        context_length = config.context_length or CONTEXT_LENGTH
        cells = config.cache_tokens or context_length * config.max_sequences
        batch_tokens = config.batch_tokens or BATCH_TOKENS
        self.config = config
        self.info = EngineInfo(
            context_length=min(context_length, cells),
            cache_tokens=cells,
            max_sequences=config.max_sequences,
            batch_tokens=batch_tokens,
            prefill_chunk_tokens=config.prefill_chunk_tokens or batch_tokens,
            num_slots=config.max_sequences + IDLE_SLOTS,
            draft_tokens=DRAFT_TOKENS if config.speculation == "on" else 0,
            memory_bytes=2**20,
            has_chat_template=True,
            reads_images=bool(config.projector),
            can_share=True,
            device="fake",
            build="fake",
        )
        self.eyes = FakeEyes() if config.projector else None
        self.words = [""]
        self.drafter = FakeDrafter(self.words.__getitem__) if config.draft else None
        self._compiler = bytewise.make_compiler()
        self.batches: list[list[Work]] = []
        self.copied: list[tuple[int, int, int, int]] = []
        self.cuts: list[tuple[int, int, int | None]] = []
        self.saved: list[int] = []
        self.restored: list[tuple[int, int]] = []
        self.cells: dict[int, list[int | None]] = {}  # the tokens that a slot holds

    @property
    def infill(self) -> tuple[int, int, int]:
        return self._token("<before>"), self._token("<after>"), self._token("<between>")

    @property
    def opening(self) -> int:
        return self._token(OPENING)

    def tokenize(self, text: str, add_special: bool = True) -> list[int]:
        return [self._token(word) for word in text.split()]

    def _token(self, word: str) -> int:
        if word not in self.words:
            self.words.append(word)
        return self.words.index(word)

    def render(self, messages: list[dict[str, object]], options: dict[str, object]) -> str:
        return " ".join(str(message["content"]) for message in messages)

    def constraint(self, grammar: Grammar, owner: str = "") -> Constraint:
        return bytewise.Bytewise(self._compiler.constraint(grammar, owner))

    def check_adapter(self, id: str) -> None:
        fitting = {adapter.id for adapter in self.config.adapters if adapter.scale >= 0}
        if id and id not in fitting:
            raise ModelLoadFailed(f"{id}: the adapter does not fit")

    def has_token(self, token: int) -> bool:
        return 0 <= token < len(self.words)

    def is_special(self, token: int) -> bool:
        return token == END

    def is_end(self, token: int) -> bool:
        return token == END

    def piece(self, token: int) -> bytes:
        if token == END:
            return b""
        if token >= bytewise.FIRST:
            return bytewise.piece(token)
        match self.words[token]:
            case "now":
                return f"{time.time()} ".encode()
            case "¶":
                return b"\n"
            case word:
                return f"{word} ".encode()

    def name(self, token: int) -> bytes:
        return self.piece(token) or b"<end>"

    def begin(self, sequence: Sequence) -> None:
        sequence.sampler = self

    def forward(
        self,
        works: collections.abc.Sequence[Work],
        meanwhile: collections.abc.Callable[[], None] = nothing,
    ) -> list[list[int]]:
        assert len({work.sequence.request.adapter for work in works}) == 1
        self.batches.append(list(works))
        for work in works:
            assert work.sequence.slot is not None
            self._hold(work.sequence.slot, work.start, work.tokens)
            self._score(work)
        meanwhile()
        time.sleep(self.config.fake_step_seconds)
        return [self._samples(work) for work in works if work.samples]

    def _samples(self, work: Work) -> list[int]:
        sequence, tokens = work.sequence, list[int]()
        drafted = work.tokens[len(work.tokens) - work.num_drafted :]
        written = len(sequence.output_tokens)
        for guess in [*drafted, None]:
            tokens.append(self._sample(sequence))
            sequence.output_tokens.append(tokens[-1])
            if tokens[-1] != guess:
                break
        del sequence.output_tokens[written:]
        if work.num_drafted:
            assert sequence.slot is not None
            right = work.start + len(work.tokens) - work.num_drafted + len(tokens) - 1
            del self.cells[sequence.slot][right:]
        return tokens

    def _sample(self, sequence: Sequence) -> int:
        token, params = self._next(sequence), sequence.request.params
        if params.num_logprobs is not None:
            sequence.ranks = _ranks(sequence, token)
        return token

    def _score(self, work: Work) -> None:
        sequence = work.sequence
        for index in work.scored:
            after = sequence.prompt_tokens[work.start + index + 1]
            sequence.scores.append(_ranks(sequence, after))

    def _next(self, sequence: Sequence) -> int:
        prompt, done = sequence.prompt_tokens, len(sequence.output_tokens)
        if sequence.constraint:
            allowed = {*sequence.constraint.allowed().tolist()}
            if not done and self.opening in allowed and prompt[0] == self.opening:
                return self.opening
            return bytewise.shortest(allowed - {self.opening})
        may_end = sequence.may_stop and not sequence.request.params.ignore_eos
        if done >= len(prompt) and may_end:
            return END
        token = prompt[done % len(prompt)]
        if token < 0:
            return self._token("pixels")
        match self.words[token]:
            case "crash":
                os._exit(1)
            case "seed":
                return self._token(str(sequence.request.params.seed))
            case "adapter":
                return self._token(sequence.request.adapter.partition("@")[0] or "none")
            case "fail":
                raise DecodeFailed("the model was told to fail")
        return token

    def copy(self, source: int, slot: int, start: int, end: int) -> None:
        self.copied.append((source, slot, start, end))
        self.cells.setdefault(slot, [])[start:end] = self.cells[source][start:end]

    def cut(self, slot: int, start: int, end: int | None) -> None:
        self.cuts.append((slot, start, end))
        cells = self.cells.setdefault(slot, [])
        cells[start:end] = [] if end is None else [None] * (end - start)

    def _hold(self, slot: int, start: int, tokens: list[int]) -> None:
        self.cells.setdefault(slot, [])[start:] = tokens

    def save(self, slot: int) -> State:
        """The tokens."""
        self.saved.append(slot)
        return msgspec.json.encode(self.cells.get(slot, []))

    def restore(self, slot: int, saved: State, num_tokens: int) -> bool:
        self.restored.append((slot, num_tokens))
        try:
            tokens = msgspec.json.decode(saved, type=list[int])
        except msgspec.MsgspecError:
            return False
        if len(tokens) < num_tokens:
            return False
        self._hold(slot, 0, tokens[:num_tokens])
        return True

    def end(self, sequence: Sequence) -> None:
        sequence.sampler = None

    def clear(self) -> None:
        self.cells.clear()

    def close(self) -> None:
        pass


def _ranks(sequence: Sequence, token: int) -> Ranks:
    params = sequence.request.params
    doubt = -(1 + (params.seed or 0) % 8) / 8
    return Ranks(doubt, [(token, doubt), (END, doubt - 1)][: params.num_logprobs])
