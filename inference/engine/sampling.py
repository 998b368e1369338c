"""How the next token is chosen, and when the answer ends."""

from dataclasses import dataclass

import msgspec

from .errors import InvalidParameter
from .grammar import Grammar

INT32_MAX = 2**31 - 1  # llama.cpp counts in 32 bits
RANDOM_SEED = 2**32 - 1  # LLAMA_DEFAULT_SEED of llama.h: draw one
GREEDY_TEMPERATURE = 1e-5  # logits divided by less than this leave float32's range

MAX_TOKEN_IDS = 1024
MAX_STOP_STRINGS = 16
MAX_STOP_CHARS = 1000
MAX_LOGPROBS = 20
MAX_BREAKERS = 16  # each is looked for in the whole vocabulary
MAX_BREAKER_CHARS = 40  # as many as llama.cpp reads


@dataclass(frozen=True, slots=True)
class _Range:
    low: float
    high: float
    is_open: bool = False  # without `low` itself

    def __contains__(self, value: float) -> bool:
        # Written so that NaN, which no comparison holds for, is outside.
        above = value > self.low if self.is_open else value >= self.low
        return above and value <= self.high

    def __str__(self) -> str:
        return f"{'above' if self.is_open else 'at least'} {self.low} and at most {self.high}"


_TOKEN_ID = _Range(0, INT32_MAX)
_BIAS = _Range(-100, 100)
_RANGES = {
    "temperature": _Range(0, 2),
    "top_p": _Range(0, 1, is_open=True),
    "top_k": _Range(0, INT32_MAX),
    "min_p": _Range(0, 1),
    "typical_p": _Range(0, 1, is_open=True),
    "repeat_penalty": _Range(0, 10, is_open=True),
    "repeat_last_n": _Range(-1, INT32_MAX),
    "presence_penalty": _Range(-2, 2),
    "frequency_penalty": _Range(-2, 2),
    "dry_multiplier": _Range(0, 100),
    "dry_base": _Range(1, 100),
    "dry_allowed_length": _Range(0, INT32_MAX),
    "dry_penalty_last_n": _Range(-1, INT32_MAX),
    "xtc_probability": _Range(0, 1),
    "xtc_threshold": _Range(0, 1),
    "mirostat": _Range(0, 2),
    "mirostat_tau": _Range(0, 100, is_open=True),
    "mirostat_eta": _Range(0, 1, is_open=True),
    "seed": _Range(-(2**63), 2**63 - 1),
    "max_tokens": _Range(1, INT32_MAX),
    "min_tokens": _Range(0, INT32_MAX),
    "num_logprobs": _Range(0, MAX_LOGPROBS),
    "thinking_budget_tokens": _Range(0, INT32_MAX),
}


class SamplingParams(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a client may say about sampling. Names and meanings are llama.cpp's.

    Raises:
        InvalidParameter: if a value is outside its range; it names the field.
    """

    temperature: float = 0.8  # 0 to 2; 0: always the likeliest token
    top_p: float = 0.95  # above 0, up to 1; 1: off
    top_k: int = 40  # 0: off
    min_p: float = 0.05  # 0 to 1; 0: off
    typical_p: float = 1.0  # above 0, up to 1; 1: off
    repeat_penalty: float = 1.0  # above 0, up to 10; 1: off
    repeat_last_n: int = 64  # tokens that penalties look back on; -1: all, 0: none
    presence_penalty: float = 0.0  # -2 to 2; 0: off
    frequency_penalty: float = 0.0  # -2 to 2; 0: off
    dry_multiplier: float = 0.0  # 0 to 100; of the penalty for repeated runs of tokens; 0: off
    dry_base: float = 1.75  # 1 to 100; the penalty grows by it with each token of a run
    dry_allowed_length: int = 2  # tokens of a run that cost nothing
    dry_penalty_last_n: int = -1  # tokens that it looks back on; -1: all, 0: none
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")  # runs end at these
    xtc_probability: float = 0.0  # 0 to 1; how often the likeliest tokens are left out; 0: off
    xtc_threshold: float = 0.1  # 0 to 1; all above it are, but for the least of them
    mirostat: int = 0  # 1 or 2: keep the answer's surprise level, instead of top_k and so on
    mirostat_tau: float = 5.0  # above 0, up to 100; that surprise
    mirostat_eta: float = 0.1  # above 0, up to 1; how fast it is approached
    logit_bias: dict[int, float] = {}  # token id: -100 to 100, added to its logit
    seed: int | None = None  # of 64 bits; None: another each time
    stop: tuple[str, ...] = ()  # the answer ends before the first of these
    stop_token_ids: tuple[int, ...] = ()  # the answer ends before any of these
    max_tokens: int | None = None  # of the answer; None: up to the context's end
    min_tokens: int = 0  # of the answer, before anything may end it
    ignore_eos: bool = False  # write on after the model's own end
    grammar: Grammar | None = None  # the form of the answer; once it is complete, the answer is
    num_logprobs: int | None = None  # likeliest tokens to tell beside each; None: no logprobs
    thinking_budget_tokens: int | None = None  # of what comes before the answer; None: any number

    def __post_init__(self) -> None:
        for field, allowed in _RANGES.items():
            _require_within(field, getattr(self, field), allowed)
        self._check_stop()
        self._check_breakers()
        self._check_token_ids()
        if self.max_tokens is not None and self.min_tokens > self.max_tokens:
            why = f"is more than max_tokens, {self.max_tokens}"
            raise InvalidParameter("min_tokens", self.min_tokens, why)

    def _check_stop(self) -> None:
        _require_at_most("stop", self.stop, MAX_STOP_STRINGS, "strings")
        for text in self.stop:
            if not text:
                raise InvalidParameter("stop", text, "is empty")
            _require_at_most("stop", text, MAX_STOP_CHARS, "characters")

    def _check_breakers(self) -> None:
        _require_at_most(
            "dry_sequence_breakers", self.dry_sequence_breakers, MAX_BREAKERS, "strings"
        )
        for text in self.dry_sequence_breakers:
            if not text or "\0" in text:
                raise InvalidParameter("dry_sequence_breakers", text, "is empty, or has a null")
            _require_at_most("dry_sequence_breakers", text, MAX_BREAKER_CHARS, "characters")

    def _check_token_ids(self) -> None:
        _require_at_most("logit_bias", self.logit_bias, MAX_TOKEN_IDS, "entries")
        _require_at_most("stop_token_ids", self.stop_token_ids, MAX_TOKEN_IDS, "entries")
        for token, bias in self.logit_bias.items():
            _require_within("logit_bias", token, _TOKEN_ID)
            _require_within("logit_bias", bias, _BIAS)
        for token in self.stop_token_ids:
            _require_within("stop_token_ids", token, _TOKEN_ID)

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is always taken, so that no seed matters."""
        return self.temperature < GREEDY_TEMPERATURE or self.top_k == 1

    @property
    def seed32(self) -> int:
        """The seed for llama.cpp: the low 32 bits. -1 stands for a random one, as None does."""
        return RANDOM_SEED if self.seed is None else self.seed & RANDOM_SEED


def _require_within(param: str, value: float | None, allowed: _Range) -> None:
    if value is not None and value not in allowed:
        raise InvalidParameter(param, value, f"is not {allowed}")


def _require_at_most(
    param: str, value: str | tuple[object, ...] | dict[int, float], limit: int, unit: str
) -> None:
    if len(value) > limit:
        why = f"has {len(value)} {unit}, more than {limit}"
        raise InvalidParameter(param, value, why)
