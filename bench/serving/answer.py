"""An answer as its reader has seen it come."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise

from .question import Piece, Question


@dataclass(slots=True)
class Answer:
    """Times are in seconds on this process's monotonic clock."""

    question: Question
    asked_at: float
    text: str = ""
    came_at: list[float] = field(default_factory=list)  # of every piece that has text
    counted: int | None = None
    cached: int = 0

    @property
    def ttft(self) -> float:
        """Seconds to the first text.

        Raises:
            ValueError: there is none.
        """
        if not self.came_at:
            raise ValueError("the answer has no text")
        return self.came_at[0] - self.asked_at

    @property
    def gaps(self) -> list[float]:
        """Seconds between pieces; a piece may hold several tokens."""
        return [after - before for before, after in pairwise(self.came_at)]

    @property
    def tokens(self) -> int:
        """As the server counted them; of one that says nothing, or was left, the pieces."""
        return len(self.came_at) if self.counted is None else self.counted

    def take(self, piece: Piece, now: float) -> None:
        if piece.text:
            self.text += piece.text
            self.came_at.append(now)
        if piece.tokens is not None:
            self.counted, self.cached = piece.tokens, piece.cached


async def read(question: Question, pieces: AsyncIterator[Piece]) -> Answer:
    """The whole answer."""
    answer = Answer(question, time.monotonic())
    async for piece in pieces:
        answer.take(piece, time.monotonic())
    return answer
