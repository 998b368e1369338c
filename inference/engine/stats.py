"""What a request cost, and how busy an engine is."""

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one request. `cached_tokens` of the prompt were not computed again.

    Of the answer, `drafted_tokens` were guessed, and `accepted_tokens` of those were right.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class Timings(msgspec.Struct, frozen=True):
    """Seconds of one request: waiting, to its first token, from there to its last."""

    queued: float
    prefill: float
    decode: float

    @property
    def total(self) -> float:
        return self.queued + self.prefill + self.decode


class SoFar(msgspec.Struct, frozen=True, array_like=True):
    """What a request under way has cost until now."""

    usage: Usage
    timings: Timings


class Load(msgspec.Struct, frozen=True):
    """How busy an engine is, in sequences and in cells of its KV cache."""

    running: int = 0
    waiting: int = 0
    cells: int = 0
