"""One request for vectors, from arrival to its last input."""

from dataclasses import dataclass

import msgspec

from .stats import Timings, Usage


class EmbedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become vectors: exactly one of `texts` and `tokens` is given.

    Attributes:
        id: unique among the requests of one engine process, of whatever kind.
        request_id: names the request in every log line, from the edge on.
        query: with one, the texts are documents, and each becomes its relevance.
        dimensions: numbers of a vector, the first ones; 0: all that the model makes.
        priority: whose inputs go first, 0 before all.
        owner: who asks; owners get equal shares.
        is_held: accepted, but computed only once a Go has come.
    """

    id: int
    request_id: str = ""
    texts: list[str] | None = None
    tokens: list[list[int]] | None = None
    query: str | None = None
    dimensions: int = 0
    priority: int = 1
    owner: str = ""
    is_held: bool = False

    @property
    def param(self) -> str:
        """The field that errors about the inputs name."""
        return "input" if self.query is None else "documents"


@dataclass(eq=False, slots=True)
class Job:
    """A request under way: the tokens of its inputs, and how many of them are done."""

    request: EmbedRequest
    inputs: list[list[int]]
    submitted_at: float  # seconds on the engine's clock, as are the next two
    started_at: float | None = None
    waits_since: float = 0.0  # since its owner was in a step last, or it came
    num_done: int = 0
    max_tokens: int = 0  # of an answer, which it has not

    def __post_init__(self) -> None:
        self.waits_since = self.submitted_at

    @property
    def id(self) -> int:
        return self.request.id

    @property
    def owner(self) -> str:
        return self.request.owner

    @property
    def is_held(self) -> bool:
        return self.request.is_held

    @property
    def is_done(self) -> bool:
        return self.num_done == len(self.inputs)

    @property
    def num_prompt_tokens(self) -> int:
        return sum(map(len, self.inputs))

    def usage(self) -> Usage:
        """Of what has been computed."""
        return Usage(sum(map(len, self.inputs[: self.num_done])), 0)

    def timings(self, now: float) -> Timings:
        started = now if self.started_at is None else self.started_at
        return Timings(started - self.submitted_at, now - started, 0)
