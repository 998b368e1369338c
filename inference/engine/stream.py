"""Carries generated text from an engine's host to one consumer."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from .bell import Bell
from .config import Setup
from .errors import EngineError
from .logprobs import TokenLogprob
from .progress import Progress
from .scores import PromptLogprob
from .stats import SoFar
from .wire import Accepted, Finish

logger = logging.getLogger(__name__)


class Piece(NamedTuple):
    """Text that has become ready, and the number of tokens that made it.

    Neither text nor tokens: nothing has happened for HEARTBEAT_SECONDS; or, with
    `progress`, which comes only to requests that ask for it, that has. `logprobs`, for
    those that ask, are those of the tokens whose text is complete with this piece, and so
    is what the request has cost `so_far`. `scores` are those of the prompt, in the first
    piece, for requests that ask for them.
    """

    text: str
    tokens: int
    progress: Progress | None = None
    logprobs: list[TokenLogprob] | None = None
    so_far: SoFar | None = None
    scores: list[PromptLogprob] | None = None


Outcome = Finish | EngineError
# Asked with the tokens of the prompt, and those that an answer may have at most; answers
# with how many it is granted, or raises what refuses the request.
Admit = Callable[[int, int], Awaitable[int]]
HEARTBEAT_SECONDS = 15.0


class Mailbox:
    """What the engine has sent for one request and nobody has taken yet.

    Putting never blocks and never grows a queue: text that waits is merged, so a
    slow client costs a string.
    """

    def __init__(
        self,
        on_end: Callable[[Outcome], None] | None = None,
        on_gap: Callable[[float], None] | None = None,
    ) -> None:
        self.accepted: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self.outcome: Outcome | None = None
        self._on_end = on_end
        self._on_gap = on_gap
        self._put_at: float | None = None
        self._text: list[str] = []
        self._tokens = 0
        self._logprobs: list[TokenLogprob] | None = None
        self._so_far: SoFar | None = None
        self._scores: list[PromptLogprob] | None = None
        self.num_tokens = 0  # all that ever came
        self.progress: Progress | None = None  # until there is text
        self._has_news = False  # nobody has taken that yet
        self._bell = Bell(HEARTBEAT_SECONDS)

    def accept(self, accepted: Accepted) -> None:
        if not self.accepted.done():
            self.accepted.set_result(accepted)

    def forget_observer(self) -> None:
        """The request has been refused after all: nobody is told of its end."""
        self._on_end = None

    def put(
        self,
        text: str,
        tokens: int,
        now: float,
        logprobs: list[TokenLogprob] | None = None,
        so_far: SoFar | None = None,
        scores: list[PromptLogprob] | None = None,
    ) -> None:
        """Text that came at `now`, in seconds on any clock."""
        if self._on_gap and self._put_at is not None:
            self._on_gap(now - self._put_at)
        self._put_at = now
        self._text.append(text)
        self._tokens += tokens
        if logprobs is not None:
            self._logprobs = self._logprobs or []
            self._logprobs += logprobs
        self._so_far = so_far or self._so_far
        self._scores = scores or self._scores
        self.num_tokens += tokens
        self.progress, self._has_news = None, False
        self._bell.ring()

    def put_progress(self, progress: Progress) -> None:
        self.progress, self._has_news = progress, True
        self._bell.ring()

    def close(self, outcome: Outcome) -> None:
        if self.outcome is not None:
            return
        self.outcome = outcome
        self._bell.ring()
        if isinstance(outcome, EngineError) and not self.accepted.done():
            self.accepted.set_exception(outcome)
        else:
            self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        """One request's observer must not take the other requests along."""
        try:
            if self._on_end:
                self._on_end(outcome)
        except Exception:
            logger.exception("an observer failed")

    async def take(self) -> Piece | None:
        """All that waits, text first, or a heartbeat; None at the end.

        Raises:
            EngineError: the request failed. What came before it was taken.
        """
        while not self._text and not self._has_news and self.outcome is None:
            if not await self._bell.wait():
                return Piece("", 0)
        if self.outcome is not None:
            self._bell.close()
        if self._text:
            told = (self._logprobs, self._so_far, self._scores)
            piece = Piece("".join(self._text), self._tokens, None, *told)
            self._text, self._tokens = [], 0
            self._logprobs = self._scores = None
            return piece
        if self.outcome is None:
            self._has_news = False
            return Piece("", 0, self.progress)
        if isinstance(self.outcome, EngineError):
            raise self.outcome
        return None


class TokenStream:
    """An answer under way: iterate for its text, then read `finish`.

    Leaving the iteration, or dropping the stream, cancels the request: what nobody
    reads is not computed.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        accepted: Accepted,
        context_length: int,
        cancel: Callable[[], None],
        setup: Setup | None = None,
    ) -> None:
        self.setup = setup  # of the engine that computes it
        self.prompt_tokens = accepted.prompt_tokens
        self.dropped = accepted.dropped  # indices of messages that are not in the prompt
        self.opens_thinking = accepted.opens_thinking
        self.context_length = context_length  # tokens that prompt and answer may have
        self._mailbox = mailbox
        self._cancel = cancel
        self._loop = asyncio.get_running_loop()

    def counter(self) -> Callable[[], int]:
        """Tells how many tokens of the answer have come, and does not keep the stream."""
        mailbox = self._mailbox
        return lambda: mailbox.num_tokens

    @property
    def progress(self) -> Progress | None:
        """How far it is, if it asked for that; None while it writes."""
        return self._mailbox.progress

    @property
    def finish(self) -> Finish:
        """How it ended; asked for after the iteration has."""
        outcome = self._mailbox.outcome
        assert isinstance(outcome, Finish)
        return outcome

    async def __aiter__(self) -> AsyncIterator[Piece]:
        try:
            while (piece := await self._mailbox.take()) is not None:
                yield piece
        finally:
            self.cancel()

    def cancel(self) -> None:
        """End the request; whoever iterates gets to its end, with reason `cancelled`."""
        if self._mailbox.outcome is None:
            self._cancel()

    def __del__(self) -> None:
        # May run on any thread, and after the loop.
        if self._mailbox.outcome is None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._cancel)
