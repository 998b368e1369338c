"""What is guessed of a sequence's next tokens: by whom, and whether that pays."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .lookup import Lookup, Share

TRIAL_DRAFTS = 8  # of a model, before they are judged: a single word may be hard to guess
# What the text is asked for at first, in tokens, since wrong ones cost time: a step of an 8B
# model on an H100 takes 6, 7 and 9 ms with 1, 4 and 8 tokens. Then twice what was right last.
FIRST_REACH = 2
# Of a draft model's tokens lately, the share that has to be right. Above the upper one it is
# asked again, which a trial has to show; between them it goes on as it was.
LEAST_SHARE, ENOUGH_SHARE = 0.2, 0.4
FIRST_PAUSE, LONGEST_PAUSE = 64, 1024  # tokens without drafts after it did not pay


class Guesses:
    """Of one sequence: what its text has said before, and how good a draft model is at it.

    Which of both a step's guesses are from is remembered until they are judged.
    """

    def __init__(self, tokens: Sequence[int], *, looks_up: bool) -> None:
        self._lookup = Lookup(tokens) if looks_up else None
        self._model = Trust()
        self._num_asked = 0  # of the model in this step
        self._reach = FIRST_REACH
        self.num_drafted = self.num_accepted = 0  # tokens until now

    @property
    def may_ask_model(self) -> bool:
        return self._model.is_on

    def append(self, token: int) -> None:
        if self._lookup:
            self._lookup.append(token)
        self._model.pass_token()

    def look_up(self, max_tokens: int) -> list[int]:
        return self._lookup.draft(min(max_tokens, self._reach)) if self._lookup else []

    def asked_model(self, num_tokens: int) -> None:
        """For so many; it may have been unsure of some, or of all."""
        self._num_asked = num_tokens

    def judge(self, num_drafted: int, num_accepted: int) -> None:
        """How many of a step's guesses were what the model wrote.

        The token that a draft model was unsure of, and ended at, counts as a wrong one: it
        was computed for nothing, too.
        """
        assert 0 <= num_accepted <= num_drafted
        self.num_drafted += num_drafted
        self.num_accepted += num_accepted
        if self._num_asked:
            self._model.note(min(self._num_asked, num_drafted + 1), num_accepted)
            self._num_asked = 0
        elif self._lookup and num_drafted:
            self._reach = max(FIRST_REACH, 2 * num_accepted)
            self._lookup.judge(num_drafted, num_accepted)


@dataclass(slots=True)
class Trust:
    """Whether a model's drafts pay, by how many of their tokens were right lately.

    Once too few are, there are none for a while, and longer each time in a row. Then a
    few drafts are a trial.
    """

    _share: Share = field(default_factory=Share)  # of this trial
    _tokens_left: int = 0  # of the pause
    _next_pause: int = FIRST_PAUSE

    @property
    def is_on(self) -> bool:
        return self._tokens_left == 0

    def pass_token(self) -> None:
        self._tokens_left = max(0, self._tokens_left - 1)

    def note(self, num_drafted: int, num_accepted: int) -> None:
        share = self._share.note(num_drafted, num_accepted)
        if share >= ENOUGH_SHARE:
            self._next_pause = FIRST_PAUSE
        elif share < LEAST_SHARE and self._share.num_noted >= TRIAL_DRAFTS:
            self._tokens_left, self._share = self._next_pause, Share()
            self._next_pause = min(2 * self._next_pause, LONGEST_PAUSE)
