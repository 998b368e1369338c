"""One generation request, from arrival to its last token."""

from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Any

import msgspec

from .grammar import Constraint
from .logprobs import LogprobStream, Ranks
from .sampling import SamplingParams
from .stats import Timings, Usage
from .text import TextStream


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"


class ContextPolicy(StrEnum):
    """What becomes of messages that leave no room for an answer; `turns` says how."""

    ERROR = "error"
    DROP_OLDEST = "drop_oldest"
    MIDDLE_OUT = "middle_out"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. Exactly one of `text`, `tokens` and `messages` is given.

    Attributes:
        id: unique among the requests of one engine process.
        request_id: names the request in every log line, from the edge on.
        template_options: passed to the chat template beside the messages.
        suffix: of a text, what follows the answer.
        echo: the answer opens with the prompt, if that is text or tokens.
        prefix: what the answer to messages begins with; the model writes on from there.
        context_policy: what becomes of messages that do not fit.
        priority: who waits enters by it, 0 first.
        group: the same for those that have the same prompt; what is computed of it for
            one of them serves all, where the model allows that.
        is_billed: its prompt is paid for; one of a group pays for all.
        is_held: accepted, but computed only once a Go has come.
        with_progress: whoever asks wants to be told how far it is while there is no text.
    """

    id: int
    request_id: str = ""
    text: str | None = None
    tokens: list[int] | None = None
    messages: list[dict[str, Any]] | None = None
    template_options: dict[str, Any] = {}
    suffix: str = ""
    echo: bool = False
    prefix: str = ""
    params: SamplingParams = SamplingParams()
    context_policy: ContextPolicy = ContextPolicy.ERROR
    priority: int = 1
    group: int | None = None
    is_billed: bool = True
    is_held: bool = False
    with_progress: bool = False

    @property
    def prompt_param(self) -> str:
        """The field that errors about the prompt name."""
        return "prompt" if self.messages is None else "messages"


class Status(Enum):
    WAITING = auto()
    RUNNING = auto()
    FINISHED = auto()


@dataclass(eq=False, slots=True)
class Sequence:
    """A request under way: its tokens, and how far the KV cache has got with them.

    A sequence that lost its place in the cache has `num_computed` 0 again: its
    prompt and what it wrote so far are prefilled like a longer prompt.
    """

    request: Request
    prompt_tokens: list[int]
    max_tokens: int  # of the answer, within the context
    text: TextStream
    submitted_at: float  # seconds on the engine's clock, as are the next three
    admitted_at: float | None = None
    first_token_at: float | None = None
    output_tokens: list[int] = field(default_factory=list)
    status: Status = Status.WAITING
    slot: int | None = None  # its sequence id in the KV cache
    source: int | None = None  # the slot that it has entered with the cells of
    num_computed: int = 0
    sampler: object = None  # the backend's
    constraint: Constraint | None = None
    logprobs: LogprobStream | None = None  # if it asks for them
    ranks: Ranks | None = None  # then the backend's, of the token sampled last

    @property
    def id(self) -> int:
        return self.request.id

    @property
    def num_shareable(self) -> int:
        """Tokens of its prompt that others need not compute; the last one brings the logits."""
        return len(self.prompt_tokens) - 1

    @property
    def is_held(self) -> bool:
        return self.request.is_held

    @property
    def num_prompt_tokens(self) -> int:
        """Those that are paid for: none where another request pays."""
        return len(self.prompt_tokens) if self.request.is_billed else 0

    @property
    def num_tokens(self) -> int:
        return len(self.prompt_tokens) + len(self.output_tokens)

    @property
    def num_pending(self) -> int:
        """Tokens to compute before the next one can be sampled: 1 while decoding."""
        return self.num_tokens - self.num_computed

    @property
    def is_decoding(self) -> bool:
        return self.num_pending == 1 and bool(self.output_tokens)

    @property
    def may_stop(self) -> bool:
        """Whether the answer may end with the token that comes next."""
        return len(self.output_tokens) >= self.request.params.min_tokens

    def pending(self, limit: int) -> list[int]:
        """The next `limit` tokens to compute, at most."""
        start, prompt = self.num_computed, self.prompt_tokens
        if start >= len(prompt):
            start -= len(prompt)
            return self.output_tokens[start : start + limit]
        head = prompt[start : start + limit]
        return head + self.output_tokens[: limit - len(head)]

    def age(self, now: float) -> float:
        """Seconds since it first entered."""
        return 0.0 if self.admitted_at is None else now - self.admitted_at

    def usage(self) -> Usage:
        return Usage(self.num_prompt_tokens, len(self.output_tokens))

    def timings(self, now: float) -> Timings:
        admitted = now if self.admitted_at is None else self.admitted_at
        first = now if self.first_token_at is None else self.first_token_at
        return Timings(admitted - self.submitted_at, first - admitted, now - first)
