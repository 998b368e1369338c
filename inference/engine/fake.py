"""A model that needs no weights: it echoes the prompt, one token a word.

Words of the prompt steer it: `crash` ends the process, `fail` the step, for `now` it writes
the time, in seconds since 1970, for `¶` a new line, and for `seed` the request's seed. The
larger that is, up to 7, the less likely are its tokens. An answer that has to have a form
owes nothing to the prompt: it is the shortest, or nearly.
"""

import collections.abc
import os
import time

from . import bytewise
from .bytewise import END
from .config import EngineConfig, EngineInfo
from .errors import DecodeFailed
from .grammar import Constraint, Grammar
from .logprobs import Ranks
from .request import Sequence
from .scheduler import Work

CONTEXT_LENGTH = 4096
BATCH_TOKENS = 512


class FakeBackend:
    max_token_length = 1_000

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
            memory_bytes=2**20,
            has_chat_template=True,
            can_share=True,
            device="fake",
            build="fake",
        )
        self.words = [""]
        self._compiler = bytewise.make_compiler()
        self.batches: list[list[Work]] = []
        self.forgotten: list[int] = []
        self.copied: list[tuple[int, int, int]] = []

    @property
    def infill(self) -> tuple[int, int, int]:
        return self._token("<before>"), self._token("<after>"), self._token("<between>")

    def tokenize(self, text: str, add_special: bool = True) -> list[int]:
        return [self._token(word) for word in text.split()]

    def _token(self, word: str) -> int:
        if word not in self.words:
            self.words.append(word)
        return self.words.index(word)

    def render(self, messages: list[dict[str, object]], options: dict[str, object]) -> str:
        return " ".join(str(message["content"]) for message in messages)

    def constraint(self, grammar: Grammar) -> Constraint:
        return bytewise.Bytewise(self._compiler.constraint(grammar))

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

    def forward(self, works: collections.abc.Sequence[Work]) -> list[int]:
        self.batches.append(list(works))
        time.sleep(self.config.fake_step_seconds)
        return [self._sample(work.sequence) for work in works if work.samples]

    def _sample(self, sequence: Sequence) -> int:
        token, params = self._next(sequence), sequence.request.params
        if params.num_logprobs is not None:
            doubt = -(1 + (params.seed or 0) % 8) / 8
            likely = [(token, doubt), (END, doubt - 1)]
            sequence.ranks = Ranks(doubt, likely[: params.num_logprobs])
        return token

    def _next(self, sequence: Sequence) -> int:
        if sequence.constraint:
            return bytewise.shortest(sequence.constraint)
        prompt, done = sequence.prompt_tokens, len(sequence.output_tokens)
        may_end = sequence.may_stop and not sequence.request.params.ignore_eos
        if done >= len(prompt) and may_end:
            return END
        token = prompt[done % len(prompt)]
        match self.words[token]:
            case "crash":
                os._exit(1)
            case "seed":
                return self._token(str(sequence.request.params.seed))
            case "fail":
                raise DecodeFailed("the model was told to fail")
        return token

    def copy(self, source: int, slot: int, num_tokens: int) -> None:
        self.copied.append((source, slot, num_tokens))

    def forget(self, slot: int) -> None:
        self.forgotten.append(slot)

    def end(self, sequence: Sequence) -> None:
        sequence.sampler = None

    def clear(self) -> None:
        pass

    def close(self) -> None:
        pass
