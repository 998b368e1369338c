"""Guesses what a text says next from what it has said before: drafts for speculation."""

from collections.abc import Sequence
from dataclasses import dataclass

LONG, SHORT = 3, 2  # tokens that have to be the same for the text to be taken up there
# Of those guessed lately, the share that has to be right. Above the upper one a sequence
# takes it up again, which a trial has to show; between them it goes on as it was.
LEAST_SHARE, ENOUGH_SHARE = 0.2, 0.4
MEMORY = 0.9  # of the averages, a draft
FIRST_PAUSE, LONGEST_PAUSE = 64, 1024  # tokens without drafts after it did not pay
TRIAL_DRAFTS = 2  # at first and after a pause, until they are judged


class Lookup:
    """The text of one sequence, and where its last few tokens stood before.

    Each token costs the same, however long the text; a draft costs its length.
    """

    def __init__(self, tokens: Sequence[int] = ()) -> None:
        self._tokens: list[int] = []
        # Where the last of such a run stood, the one that ends the text not counted.
        self._last: dict[tuple[int, ...], int] = {}
        self._trust = Trust()
        for token in tokens:
            self._add(token)

    def append(self, token: int) -> None:
        self._add(token)
        self._trust.pass_token()

    def draft(self, max_tokens: int) -> list[int]:
        """What followed the last time; empty if there was none, or drafts do not pay here."""
        if max_tokens <= 0 or not self._trust.is_on:
            return []
        for length in (LONG, SHORT):
            if start := self._last.get(tuple(self._tokens[-length:])):
                return self._from(start, max_tokens)
        return []

    def judge(self, num_drafted: int, num_accepted: int) -> None:
        """How many of a draft's tokens were what the model wrote."""
        assert 0 <= num_accepted <= num_drafted
        if num_drafted:
            self._trust.note(num_drafted, num_accepted)

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
class Trust:
    """Whether drafts pay, by how many of their tokens were right lately.

    Once too few are, there are none for a while, and longer each time in a row. Then a
    few drafts are a trial.
    """

    _trial_drafts: int = TRIAL_DRAFTS
    _drafted: float = 0.0
    _accepted: float = 0.0
    _num_judged: int = 0  # drafts of this trial
    _tokens_left: int = 0  # of the pause
    _next_pause: int = FIRST_PAUSE

    @property
    def is_on(self) -> bool:
        return self._tokens_left == 0

    def pass_token(self) -> None:
        self._tokens_left = max(0, self._tokens_left - 1)

    def note(self, num_drafted: int, num_accepted: int) -> None:
        self._drafted = self._drafted * MEMORY + num_drafted
        self._accepted = self._accepted * MEMORY + num_accepted
        self._num_judged += 1
        share = self._accepted / self._drafted
        if share >= ENOUGH_SHARE:
            self._next_pause = FIRST_PAUSE
        elif share < LEAST_SHARE and self._num_judged >= self._trial_drafts:
            self._pause()

    def _pause(self) -> None:
        self._tokens_left = self._next_pause
        self._next_pause = min(2 * self._next_pause, LONGEST_PAUSE)
        self._drafted = self._accepted = 0.0
        self._num_judged = 0
