"""From a request to a sequence that waits: seats, tokenizing, and every early refusal."""

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from .backend import Reader
from .embedding import EmbedRequest
from .errors import EngineError, EngineStopped, QueueFull
from .grammar import Constraint, Grammar
from .logprobs import LogprobStream
from .prompt import Prompt, PromptMaker
from .request import FinishReason, Request, Sequence
from .seats import Seats
from .stats import Timings, Usage
from .text import TextStream
from .thoughts import TAGS, Place, Thoughts
from .wire import Accepted, Failure, Finish, FromEngine, Question, Step

T = TypeVar("T")

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5.0  # a guess, until the queue can say how fast it moves
OUR_FAULT = "The engine failed; see the server's log."

Asked = Request | EmbedRequest


class Held(Protocol):
    """A request that can be computed; at first it may have to wait for its release."""

    max_tokens: int

    @property
    def id(self) -> int: ...
    @property
    def owner(self) -> str: ...
    @property
    def is_held(self) -> bool: ...
    @property
    def num_prompt_tokens(self) -> int: ...


class Intake:
    """Answers every request with an Accepted or a Failure before it is computed.

    `reserve` is quick, and `prepare` renders and tokenizes, which may take long: they
    may be called on different threads, so that a cancel never waits for another's
    prompt. An accepted sequence goes to `deliver`; one that is to be held, when it is
    released.
    """

    def __init__(
        self,
        backend: Reader,
        send: Callable[[FromEngine], None],
        deliver: Callable[[Any], None],
        clock: Callable[[], float],
        constrain: Callable[[Grammar, str], Constraint] | None = None,
        check_adapter: Callable[[str], None] = lambda id: None,
    ) -> None:
        self._backend = backend
        self._prompts = PromptMaker(backend)
        self._send = send
        self._deliver = deliver
        self._clock = clock
        self._constrain = constrain
        self._check_adapter = check_adapter
        self._seats = Seats(backend.info.max_sequences + backend.config.max_waiting)
        self._lock = threading.Lock()  # of the next three, and of handing over
        self._preparing: set[int] = set()
        self._withdrawn: set[int] = set()
        self._held: dict[int, Held] = {}
        self._using_backend = threading.Lock()
        self._is_closed = False
        self._refused: tuple[int, EngineError] | None = None  # a group, and why

    def reserve(self, request: Asked) -> bool:
        """Take a seat for the request; False if there is none, and it has been refused."""
        if not self._seats.take(request.owner):
            self._send(Failure.of(self._queue_full(), request.id))
            return False
        with self._lock:
            self._preparing.add(request.id)
        return True

    def prepare(self, request: Asked) -> None:
        """Accept the request, or refuse it; if it was withdrawn by then, it has finished."""
        if self._is_withdrawn(request):
            self._settle(request, None)
            return
        self._settle(request, self._tried(lambda: self._made(request), request.request_id))

    def tell(self, asked: Question) -> None:
        """Answer, if only with a Failure."""
        told = self._tried(lambda: self._prompts.tell(asked))
        self._send(Failure.of(told, asked.id) if isinstance(told, EngineError) else told)

    def tidy(self) -> None:
        """Forget what nobody has said lately: to be called now and then."""
        with self._using_backend:
            self._prompts.tidy()

    def withdraw(self, id: int) -> bool:
        """Take back a request that is not a sequence yet; False if it is, or has finished."""
        with self._lock:
            held = self._held.pop(id, None)
            is_preparing = id in self._preparing
            if is_preparing:
                self._withdrawn.add(id)
        if held:
            self._seats.give_back(held.owner)
            self._send(_withdrawn(id, held.num_prompt_tokens))
        return is_preparing or held is not None

    def release(self, id: int, max_tokens: int) -> None:
        """Let a held sequence be computed. Unknown ids have been withdrawn."""
        with self._lock:
            sequence = self._held.pop(id, None)
            if sequence:
                sequence.max_tokens = min(sequence.max_tokens, max_tokens)
                self._deliver(sequence)

    def leave(self, owner: str) -> None:
        """Give back the owner's seat: a sequence has finished."""
        self._seats.give_back(owner)

    def close(self) -> None:
        """Refuse all further requests; the backend is not used any more once it returns."""
        with self._using_backend:
            self._is_closed = True

    def _is_withdrawn(self, request: Asked) -> bool:
        with self._lock:
            return request.id in self._withdrawn

    def _settle(self, request: Asked, made: tuple[Held, Prompt] | EngineError | None) -> None:
        # In one go: a cancel comes before the sequence has been delivered, or after.
        with self._lock:
            self._preparing.discard(request.id)
            is_withdrawn = request.id in self._withdrawn
            self._withdrawn.discard(request.id)
            if isinstance(made, tuple) and not is_withdrawn:
                self._accept(*made)
                return
        self._seats.give_back(request.owner)
        if isinstance(made, EngineError):
            self._send(Failure.of(made, request.id))
        else:
            self._send(Accepted(request.id, 0, 0))
            self._send(_withdrawn(request.id, 0))

    def _accept(self, sequence: Held, prompt: Prompt) -> None:
        id, prompt_tokens = sequence.id, sequence.num_prompt_tokens
        facts = (prompt.dropped, prompt.opens_thinking)
        self._send(Accepted(id, prompt_tokens, sequence.max_tokens, *facts))
        if sequence.is_held:
            self._held[id] = sequence
        else:
            self._deliver(sequence)

    def _made(self, request: Any) -> tuple[Held, Prompt]:
        """The sequence, and what its prompt was made of. What was refused to one of a group
        is not tried again for the others: it may be slow.
        """
        assert isinstance(request, Request)
        if self._refused and self._refused[0] == request.group:
            raise self._refused[1]
        try:
            return self._sequence(request)
        except EngineError as error:
            if request.group is not None:
                self._refused = request.group, error
            raise

    def _sequence(self, request: Request) -> tuple[Sequence, Prompt]:
        self._check_adapter(request.adapter)
        prompt = self._prompts.make(request)
        room = self._backend.info.context_length - len(prompt.tokens)
        params = request.params
        form = self._constraint(request)
        thoughts = self._thoughts(request, prompt, form)
        sequence = Sequence(
            request=request,
            prompt_tokens=prompt.tokens,
            max_tokens=0 if request.only_reads else min(params.max_tokens or room, room),
            text=TextStream(params.stop, opening=prompt.echo),
            echo=prompt.echo,
            submitted_at=self._clock(),
            spans=prompt.spans,
            num_public=prompt.num_public,
            constraint=thoughts.constraint if thoughts else form,
            thoughts=thoughts,
            shown=self._shown(request),
            logprobs=None if params.num_logprobs is None else LogprobStream(len(prompt.echo)),
        )
        return sequence, prompt

    def _thoughts(
        self, request: Request, prompt: Prompt, form: Constraint | None
    ) -> Thoughts | None:
        """None if it is the same to the engine whether the answer thinks."""
        budget = request.params.thinking_budget_tokens
        if prompt.place is Place.BEHIND or (budget is None and form is None):
            return None
        return Thoughts(
            lambda text: self._backend.tokenize(text, False),
            self._backend.name,
            place=prompt.place,
            budget=budget,
            form=form,
            lead=request.lead,
            opening=self._backend.opening,
        )

    def _shown(self, request: Request) -> frozenset[int]:
        """The tags of thoughts among them: some vocabularies have them as control tokens."""
        if request.messages is None:
            return frozenset()
        tokens = (self._backend.tokenize(text, False) for text in (*TAGS, *request.shown))
        return frozenset(t for t, *more in tokens if not more and self._backend.is_special(t))

    def _constraint(self, request: Request) -> Constraint | None:
        grammar = request.params.grammar
        if grammar is None:
            return None
        assert self._constrain, "nobody asks what does not write for a form"
        return self._constrain(grammar, request.owner)

    def _tried(self, work: Callable[[], T], request_id: str = "") -> T | EngineError:
        """What the work with the backend made, or why it made nothing."""
        try:
            with self._using_backend:
                if self._is_closed:
                    raise EngineStopped("The model is being unloaded.")
                return work()
        except EngineError as error:
            return error
        except Exception:
            logger.exception("a request failed", extra={"request_id": request_id})
            return EngineError(OUR_FAULT)

    def _queue_full(self) -> QueueFull:
        waiting = self._backend.config.max_waiting
        return QueueFull(
            f"{waiting} requests wait for this model already.",
            retry_after=RETRY_AFTER_SECONDS,
        )


def _withdrawn(id: int, prompt_tokens: int) -> Step:
    nothing = Finish(id, FinishReason.CANCELLED, Usage(prompt_tokens, 0), Timings(0, 0, 0))
    return Step([], [nothing])
