"""One generation request, from arrival to its last token."""

from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Any

import msgspec

from .grammar import Constraint
from .guesses import Guesses
from .image import Image
from .logprobs import LogprobStream, Ranks
from .radix import PASSING, Path
from .sampling import SamplingParams
from .span import Span
from .stats import SoFar, Timings, Usage
from .text import TextStream
from .thoughts import Thoughts


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
        images: what the markers in the messages stand for.
        template_options: passed to the chat template beside the messages.
        system: stands before messages that have no system message of their own. It is no
            secret of the owner's: the beginning of a prompt that it makes is anybody's.
        suffix: of a text, what follows the answer.
        echo: the answer opens with the prompt, if that is text or tokens.
        scores: how likely the prompt's tokens were is told, too, if it has an echo and logprobs.
        only_reads: the prompt is computed, and nothing is written.
        prefix: what the answer to messages begins with; the model writes on from there.
        lead: what stands before an answer that has a form, behind its thoughts; it is no
            part of the text.
        shown: control tokens that are a part of the text, by their names.
        context_policy: what becomes of messages that do not fit.
        adapter: computes with that one of the model's; empty: with none.
        priority: the class of those who wait; 0 enters first.
        owner: who asks. Owners get equal shares, and find what was computed for themselves.
        caps: how many may run at once with this one, by names that others have, too.
        use_cache: what is computed for it may serve others of its owner, and theirs it.
        group: the same for those that have the same prompt.
        is_billed: its prompt is paid for; one of a group pays for all.
        is_held: accepted, but computed only once a Go has come.
        is_alone: nothing is computed beside it, and nothing kept from before, so that the
            same request brings the same tokens; its Finish tells them.
        with_progress: whoever asks wants to be told how far it is while there is no text.
        with_timings: and what it has cost so far, with every text.
    """

    id: int
    request_id: str = ""
    text: str | None = None
    tokens: list[int] | None = None
    messages: list[dict[str, Any]] | None = None
    images: list[Image] = []
    template_options: dict[str, Any] = {}
    system: str = ""
    suffix: str = ""
    echo: bool = False
    scores: bool = False
    only_reads: bool = False
    prefix: str = ""
    lead: str = ""
    shown: list[str] = []
    params: SamplingParams = SamplingParams()
    context_policy: ContextPolicy = ContextPolicy.ERROR
    adapter: str = ""
    priority: int = 1
    owner: str = ""
    caps: dict[str, int] = {}
    use_cache: bool = True
    group: int | None = None
    is_billed: bool = True
    is_held: bool = False
    is_alone: bool = False
    with_progress: bool = False
    with_timings: bool = False

    @property
    def prompt_param(self) -> str:
        """The field that errors about the prompt name."""
        return "prompt" if self.messages is None else "messages"


class Trace(msgspec.Struct, frozen=True, array_like=True):
    """All tokens of a request: those that it was given, and those that were sampled."""

    prompt: list[int]
    output: list[int]


class Status(Enum):
    WAITING = auto()
    RUNNING = auto()
    FINISHED = auto()


@dataclass(eq=False, slots=True)
class Sequence:
    """A request under way: its tokens, and how far the KV cache has got with them.

    A sequence that has lost its place has `num_computed` 0 again: its prompt and what
    it wrote so far enter like a longer prompt, of which the cache may have the most.
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
    spans: tuple[Span, ...] = ()  # of the prompt, in their order: what is an image there
    num_public: int = 0  # tokens of the prompt that are anybody's
    slot: int | None = None  # its sequence id in the KV cache
    num_computed: int = 0
    num_cached: int = 0  # tokens of the prompt that the cache had
    cost: int = 0  # tokens computed for it
    order: int = 0  # of arrival
    rank: int = 0  # its class, aged
    waits_since: float = 0.0
    was_paused: bool = False
    num_passed: int = 0  # others that entered before it because it did not fit
    sampler: object = None  # the backend's
    guesses: Guesses | None = None  # once its next tokens are guessed
    constraint: Constraint | None = None
    thoughts: Thoughts | None = None  # while they have to be followed
    shown: frozenset[int] = frozenset()  # control tokens that have a text here
    logprobs: LogprobStream | None = None  # if it asks for them
    ranks: Ranks | None = None  # then the backend's, of the token sampled last
    scores: list[Ranks] = field(default_factory=list)  # and of the prompt's, from the second on
    echo: str = ""  # what the answer opens with

    @property
    def id(self) -> int:
        return self.request.id

    @property
    def owner(self) -> str:
        return self.request.owner

    @property
    def salt(self) -> str:
        """Those with the same one find what was computed for each other."""
        request = self.request
        if self.is_cached:
            return f"{request.adapter}\0{request.owner}" if request.adapter else request.owner
        if request.group is None or request.scores:
            return f"{request.adapter}{PASSING}request {request.id}"
        return f"{request.adapter}{PASSING}group {request.group}"

    @property
    def is_cached(self) -> bool:
        """Whether it may begin with what was computed before."""
        return self.request.use_cache and not self.is_alone and not self.request.scores

    @property
    def path(self) -> Path:
        tokens = self.prompt_tokens
        if self.output_tokens:
            tokens = tokens + self.output_tokens
        return Path(tokens, self.salt, self.num_shared)

    @property
    def num_shared(self) -> int:
        """Tokens of the prompt that other owners may have computed, or find again.

        What an adapter computes is nobody's who computes without it.
        """
        return self.num_public if self.is_cached and not self.request.adapter else 0

    @property
    def is_held(self) -> bool:
        return self.request.is_held

    @property
    def is_alone(self) -> bool:
        return self.request.is_alone

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
    def is_scoring(self) -> bool:
        """Whether some of the prompt's tokens have yet to be judged."""
        return self.request.scores and len(self.scores) < len(self.prompt_tokens) - 1

    def unscored(self, num_tokens: int) -> range:
        """Of so many pending tokens, those after which one of the prompt is to be judged."""
        if not self.is_scoring:
            return range(0)
        end = min(num_tokens, len(self.prompt_tokens) - 1 - self.num_computed)
        return range(len(self.scores) - self.num_computed, end)

    @property
    def may_stop(self) -> bool:
        """Whether the answer may end with the token that comes next."""
        return len(self.output_tokens) >= self.request.params.min_tokens

    @property
    def num_guessable(self) -> int:
        """Of the next tokens, those of which a wrong guess changes nothing but the time."""
        is_plain = self.constraint is None and self.thoughts is None and self.logprobs is None
        if not is_plain or self.is_alone or not self.may_stop:
            return 0
        return max(0, self.max_tokens - len(self.output_tokens) - 1)

    def said(self) -> list[int]:
        """The tokens behind the last image, which are a text."""
        start = self.spans[-1].end if self.spans else 0
        return self.prompt_tokens[start:] + self.output_tokens

    def position(self, place: int) -> int:
        """Where the model has the token of that place, which begins an image or is in none."""
        return place - sum(span.num_skipped for span in self.spans if span.end <= place)

    @property
    def num_findable(self) -> int:
        """Tokens whose cells the cache can tell apart, and others may begin with."""
        odd = (span.start for span in self.spans if span.num_positions is not None)
        return next(odd, self.num_tokens)

    @property
    def span(self) -> Span | None:
        """The image that comes next to be computed, if one does."""
        place = self.num_computed
        return next((span for span in self.spans if span.start <= place < span.end), None)

    def pending(self, limit: int) -> list[int]:
        """The next `limit` tokens to compute, at most: all of a text, or all of one image."""
        start = self.num_computed
        borders = (place for span in self.spans for place in (span.start, span.end))
        limit = min(limit, next((place - start for place in borders if place > start), limit))
        return self.tokens(start, limit)

    def tokens(self, start: int, limit: int) -> list[int]:
        """Those from there on, of prompt and answer, at most so many."""
        prompt = self.prompt_tokens
        if start >= len(prompt):
            start -= len(prompt)
            return self.output_tokens[start : start + limit]
        head = prompt[start : start + limit]
        return head + self.output_tokens[: limit - len(head)]

    def age(self, now: float) -> float:
        """Seconds since it first entered."""
        return 0.0 if self.admitted_at is None else now - self.admitted_at

    def usage(self) -> Usage:
        cached = min(self.num_cached, self.num_prompt_tokens)
        guesses = self.guesses
        drafted = (guesses.num_drafted, guesses.num_accepted) if guesses else (0, 0)
        return Usage(self.num_prompt_tokens, len(self.output_tokens), cached, *drafted)

    def trace(self) -> Trace | None:
        """Of one that is computed alone; others' tokens stay here."""
        return Trace(self.prompt_tokens, self.output_tokens) if self.is_alone else None

    def timings(self, now: float) -> Timings:
        admitted = now if self.admitted_at is None else self.admitted_at
        first = now if self.first_token_at is None else self.first_token_at
        return Timings(admitted - self.submitted_at, first - admitted, now - first)

    def so_far(self, now: float) -> SoFar | None:
        """For whoever wants to know with every text."""
        return SoFar(self.usage(), self.timings(now)) if self.request.with_timings else None
