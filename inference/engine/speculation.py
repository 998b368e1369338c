"""Which sequences are guessed at in a step, and by whom."""

from collections.abc import Mapping
from typing import Protocol

from .guesses import Guesses
from .request import Sequence

MOST_SPECULATING = 2  # beyond it a step has enough to do without guesses


class Drafter(Protocol):
    """A smaller model with the same vocabulary, which writes ahead. For the engine's thread."""

    max_tokens: int  # of a draft

    def draft(self, wanted: Mapping[Sequence, int]) -> dict[Sequence, list[int]]:
        """What each will go on with, so many tokens at most: fewer where it is unsure, or none.

        Who is not in the answer has not been guessed at: its text is too long, say. Nothing
        that goes wrong here fails a request.
        """


class Speculation:
    """Guesses for those that decode, as long as they are few: from their own text for
    nothing, else by a draft model, if there is one.

    Pure but for that model.
    """

    def __init__(self, lookup_tokens: int = 0, drafter: Drafter | None = None) -> None:
        self._lookup_tokens = lookup_tokens  # of a guess, at most; 0: the text is not asked
        self._drafter = drafter

    def drafts(self, decoding: list[Sequence], room: int) -> dict[Sequence, list[int]]:
        """For each that is guessed at, up to `room` tokens."""
        is_wanted = self._drafter is not None or self._lookup_tokens > 0
        if not is_wanted or room < 1 or len(decoding) > MOST_SPECULATING:
            return {}
        able = [sequence for sequence in decoding if sequence.num_guessable]
        found = {sequence: self._look_up(sequence, room) for sequence in able}
        return found | self._ask_model([s for s, tokens in found.items() if not tokens], room)

    def _look_up(self, sequence: Sequence, room: int) -> list[int]:
        most = min(self._lookup_tokens, sequence.num_guessable, room)
        return self._guesses(sequence).look_up(most)

    def _ask_model(self, sequences: list[Sequence], room: int) -> dict[Sequence, list[int]]:
        """A draft model sees no images."""
        drafter = self._drafter
        trusting = [s for s in sequences if not s.spans and self._guesses(s).may_ask_model]
        if drafter is None or not trusting:
            return {}
        wanted = {s: min(drafter.max_tokens, s.num_guessable, room) for s in trusting}
        drafts = drafter.draft(wanted)
        for sequence in drafts:
            self._guesses(sequence).asked_model(wanted[sequence])
        return drafts

    def _guesses(self, sequence: Sequence) -> Guesses:
        if sequence.guesses is None:
            sequence.guesses = Guesses(sequence.said(), looks_up=self._lookup_tokens > 0)
        return sequence.guesses
