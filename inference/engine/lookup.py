"""Guesses what a text says next from what it has said before: drafts for speculation."""

from collections.abc import Sequence
from dataclasses import dataclass

LONG, SHORT = 3, 2  # tokens that have to be the same for the text to be taken up there
# Of those guessed lately, the share that has to be right for guesses to be made, and to go on.
ENOUGH_SHARE, LEAST_SHARE = 0.5, 0.2
LEAST_NOTED = 3  # guesses, before there is a share
MEMORY = 0.9  # of the averages, a guess


class Lookup:
    """The text of one sequence, and where its last few tokens stood before.

    Each token costs the same, however long the text; a draft costs its length. What it would
    have guessed is noted for nothing, and a draft is given once that would have been right: a
    wrong one costs a step of another shape, which a GPU has to plan anew.
    """

    def __init__(self, tokens: Sequence[int] = ()) -> None:
        self._tokens: list[int] = []
        # Where the last of such a run stood, the one that ends the text not counted.
        self._last: dict[tuple[int, ...], int] = {}
        self._share, self._pays = Share(), False
        for token in tokens:
            self._add(token)

    def append(self, token: int) -> None:
        if not self._pays and (start := self._place()):
            share = self._share.note(1, self._tokens[start] == token)
            self._pays = self._share.num_noted >= LEAST_NOTED and share >= ENOUGH_SHARE
        self._add(token)

    def draft(self, max_tokens: int) -> list[int]:
        """What followed the last time; empty if there was none, or drafts do not pay here."""
        if max_tokens <= 0 or not self._pays:
            return []
        start = self._place()
        return self._from(start, max_tokens) if start else []

    def judge(self, num_drafted: int, num_accepted: int) -> None:
        """How many of a draft's tokens were what the model wrote."""
        assert 0 <= num_accepted <= num_drafted
        if num_drafted and self._share.note(num_drafted, num_accepted) < LEAST_SHARE:
            self._share, self._pays = Share(), False

    def _place(self) -> int | None:
        """Where the text is taken up: what stood there followed the last tokens before."""
        for length in (LONG, SHORT):
            if start := self._last.get(tuple(self._tokens[-length:])):
                return start
        return None

    def _from(self, start: int, max_tokens: int) -> list[int]:
        """The text from there on; it ends where the text does, and then it repeats itself."""
        found = self._tokens[start : start + max_tokens]
        period = len(self._tokens) - start
        while len(found) < max_tokens:
            found.append(found[-period])
        return found

    def _add(self, token: int) -> None:
        # What ended the text until now has got a token after it.
        for length in (LONG, SHORT):
            if len(self._tokens) >= length:
                self._last[tuple(self._tokens[-length:])] = len(self._tokens)
        self._tokens.append(token)


@dataclass(slots=True)
class Share:
    """Of the tokens that were guessed lately, those that were right."""

    num_noted: int = 0
    _guessed: float = 0.0
    _right: float = 0.0

    def note(self, num_guessed: int, num_right: int) -> float:
        """The share, with this guess."""
        self._guessed = self._guessed * MEMORY + num_guessed
        self._right = self._right * MEMORY + num_right
        self.num_noted += 1
        return self._right / self._guessed
