"""What an answer says: thoughts, words, and calls of functions."""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from inference.runtime import Piece, TokenLogprob
from inference.thinking import ThinkingSplitter
from inference.tools import Begun, CallParser, Event, More, Text

from .models import Message


class Thought(NamedTuple):
    """Of what the model thinks before it answers."""

    text: str


Said = Thought | Event


class AnswerReader:
    """Reads what a model writes, in whatever pieces it comes."""

    def __init__(self, splitter: ThinkingSplitter, parser: CallParser | None = None) -> None:
        self._splitter = splitter
        self._parser = parser
        self._logprobs: list[TokenLogprob] = []

    def feed(self, piece: Piece) -> Iterator[Said]:
        self._logprobs += piece.logprobs or ()
        return self._split(*self._splitter.feed(piece.text))

    def take_logprobs(self) -> list[TokenLogprob]:
        """Those of the answer's own tokens, without thoughts, that have not been taken; their
        offsets count its characters.
        """
        start = self._splitter.answer_at
        if start is None:
            return []
        taken, self._logprobs = self._logprobs, []
        moved = (msgspec.structs.replace(one, offset=one.offset - start) for one in taken)
        return [one for one in moved if end_of(one) > 0]

    def finish(self) -> Iterator[Said]:
        """What was held back."""
        rest = self._split(*self._splitter.finish())
        return chain(rest, self._parser.finish() if self._parser else ())

    def _split(self, thought: str, said: str) -> Iterator[Said]:
        if thought:
            yield Thought(thought)
        if said and self._parser:
            yield from self._parser.feed(said)
        elif said:
            yield Text(said)


class Written:
    """All there is of an answer so far, and who waits for more of it.

    A call is a dictionary of `id`, `name`, `arguments` (JSON, as far as it is written) and
    `at`: it comes after so many characters of the text. `logprobs` are those of the text's
    tokens, if somebody has asked for them, as JSON has them: see `logprobs_of`.
    """

    def __init__(
        self,
        reasoning: str = "",
        text: str = "",
        calls: Sequence[dict[str, Any]] = (),
        logprobs: Sequence[Any] = (),
    ) -> None:
        self.reasoning = reasoning
        self.text = text
        self.calls = [*calls]
        self.logprobs = [*logprobs]
        self.is_over = False
        self.version = 0  # grows with it
        self._grown = asyncio.Event()

    @classmethod
    def of(cls, answer: Message) -> "Written":
        return cls(answer.reasoning, answer.text, answer.calls, answer.logprobs)

    def columns(self) -> dict[str, Any]:
        """Of the answer's row."""
        written = {"reasoning": self.reasoning, "text": self.text}
        return {**written, "calls": [*self.calls], "logprobs": [*self.logprobs]}

    def take_logprobs(self, logprobs: Sequence[TokenLogprob]) -> None:
        """Those of the text that is taken next."""
        self.logprobs += msgspec.to_builtins(logprobs)

    def take(self, said: Said) -> None:
        match said:
            case Thought(text):
                self.reasoning += _storable(text)
            case Text(text):
                self.text += _storable(text)
            case Begun(_, name):
                id = f"call_{uuid.uuid4().hex[:24]}"
                self.calls.append({"id": id, "name": name, "arguments": "", "at": len(self.text)})
            case More(_, arguments):
                self.calls[-1]["arguments"] += _storable(arguments)
        self._wake()

    def end(self) -> None:
        self.is_over = True
        self._wake()

    def _wake(self) -> None:
        self.version += 1
        self._grown.set()
        self._grown = asyncio.Event()

    async def grown(self, version: int, seconds: float) -> bool:
        """Wait until there is more than in that version, or it is over; False if there was
        nothing for so long.
        """
        try:
            async with asyncio.timeout(seconds):
                while self.version == version:
                    await self._grown.wait()
        except TimeoutError:
            return False
        return True


def logprobs_of(written: Written) -> list[TokenLogprob]:
    """With offsets in its text."""
    return msgspec.convert(written.logprobs, list[TokenLogprob])


def end_of(token: TokenLogprob) -> int:
    """Characters up to the token's last; a part of one counts as one."""
    return token.offset + max(1, len(token.text.decode(errors="ignore")))


def _storable(text: str) -> str:
    """A NUL cannot be stored everywhere; a model may write any byte."""
    return text.replace("\0", "\ufffd")


def reader_after(
    answer: Message, *, opens_thinking: bool, parser: CallParser | None = None
) -> AnswerReader:
    """For what the model writes after that answer's beginning, or after the prompt's."""
    if answer.text:
        return AnswerReader(ThinkingSplitter(has_answered=True), parser)
    has_begun = bool(answer.reasoning) or opens_thinking
    return AnswerReader(ThinkingSplitter(has_begun=has_begun), parser)
