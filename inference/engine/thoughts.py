"""What a model thinks before it answers: how long it may, and what comes after it."""

import codecs
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import GrammarTooComplex
from .grammar import Constraint

OPENING = "<think>"
CLOSINGS = {OPENING: "</think>", "<thinking>": "</thinking>"}
TAGS = (*CLOSINGS, *CLOSINGS.values())


class Place(Enum):
    """Where an answer stands."""

    BEGINNING = auto()  # it may think
    WITHIN = auto()  # it thinks
    BEHIND = auto()  # it does not think any more


def place_after(prompt: str, prefix: str) -> Place:
    """Where a rendered prompt leaves the answer, that is to go on from the prefix."""
    tail = prompt.rstrip()
    is_open = tail.endswith(OPENING)
    begun = OPENING + prefix.removeprefix(OPENING) if is_open else prefix
    if not begun.strip():
        return Place.BEHIND if tail.endswith(CLOSINGS[OPENING]) else Place.BEGINNING
    opening = next((tag for tag in CLOSINGS if begun.lstrip().startswith(tag)), None)
    return Place.WITHIN if opening and CLOSINGS[opening] not in begun else Place.BEHIND


class Taken(NamedTuple):
    """What becomes of a token that was chosen: whether it stands, and which follow unchosen.

    Of those, `fed` belong to the text, and `silent` do not.
    """

    stands: bool
    fed: Sequence[int] = ()
    silent: Sequence[int] = ()


class Thoughts:
    """Follows one answer's tokens until it does not think any more.

    After `budget` tokens of thoughts their closing tag is written, whatever the model would
    have chosen. Then the answer goes on; one that has a `form` with its `lead`, and only
    from there on in that form. Such an answer does not end within a thought.

    Args:
        tokenize: of a part of an answer.
        piece: the bytes of a token.
        place: where the answer stands; not behind its thoughts.
        opening: the token that begins a thought, if one that has a form may begin with it.

    Attributes:
        constraint: which tokens may come next; None: any.
    """

    def __init__(
        self,
        tokenize: Callable[[str], list[int]],
        piece: Callable[[int], bytes],
        *,
        place: Place,
        budget: int | None = None,
        form: Constraint | None = None,
        lead: str = "",
        opening: int | None = None,
    ) -> None:
        self.place = place
        self.constraint: Constraint | None = None
        self._tokenize = tokenize
        self._piece = piece
        self._budget = budget
        self._form = form
        self._lead = tokenize(lead) if lead else []
        self._opening = opening
        self._closing = CLOSINGS[OPENING]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._seen = ""  # what may have a tag in it that is not complete
        self._num_thought = 0
        if place is Place.BEGINNING and form:
            assert opening is not None, "it has no choice"
            self.constraint = FormOrThought(form, self._lead[:1], opening)

    def take(self, token: int, *, is_end: bool) -> Taken:
        """A token has been chosen; it may be the model's end."""
        if self.place is Place.WITHIN:
            return self._within(token, is_end)
        if self._form:
            return self._chosen(token)
        return self._beginning(token)

    def _chosen(self, token: int) -> Taken:
        """Between a form and a thought."""
        if token == self._opening:
            self.place, self.constraint = Place.WITHIN, None
            return Taken(True)
        self._leave()
        return Taken(False, silent=self._lead) if self._lead else Taken(True)

    def _beginning(self, token: int) -> Taken:
        self._seen += self._decoder.decode(self._piece(token))
        begun = self._seen.lstrip()
        for opening, closing in CLOSINGS.items():
            if begun.startswith(opening):
                self.place, self._closing = Place.WITHIN, closing
                self._seen = begun[len(opening) :]
                return self._closed() if self._budget == 0 else Taken(True)
        if not any(opening.startswith(begun) for opening in CLOSINGS):
            self._leave()
        return Taken(True)

    def _within(self, token: int, is_end: bool) -> Taken:
        if is_end and self._form:
            return self._closed(stands=False)
        text = self._decoder.decode(self._piece(token))
        self._seen += text
        _, closing, rest = self._seen.partition(self._closing)
        if closing:
            return self._ended(text, rest)
        self._seen = self._seen[1 - len(self._closing) :]
        self._num_thought += 1
        is_spent = self._budget is not None and self._num_thought >= self._budget
        is_within_character = bool(self._decoder.getstate()[0])
        return self._closed() if is_spent and not is_within_character else Taken(True)

    def _ended(self, text: str, rest: str) -> Taken:
        """By the model itself. A form begins right behind the tag, not within a token."""
        self._leave()
        if rest and self._form:
            return Taken(False, self._tokenize(text.removesuffix(rest)), self._lead)
        return Taken(True, silent=self._lead)

    def _closed(self, *, stands: bool = True) -> Taken:
        """As models do that think until they are done."""
        self._leave()
        text = f"\n{self._closing}" + ("" if self._form else "\n\n")
        return Taken(stands, self._tokenize(text), self._lead)

    def _leave(self) -> None:
        self.place, self.constraint = Place.BEHIND, self._form


class FormOrThought:
    """The beginning of a form, or the tag of a thought before it."""

    def __init__(self, form: Constraint, lead: list[int], opening: int) -> None:
        self._form = form
        self._lead = lead  # its first token, if it has one
        self._opening = opening

    @property
    def is_complete(self) -> bool:
        return self._form.is_complete

    @property
    def error(self) -> GrammarTooComplex | None:
        return self._form.error

    def prepare(self) -> None:
        self._form.prepare()

    def allowed(self) -> NDArray[np.intp]:
        ids = np.array(self._lead, np.intp) if self._lead else self._form.allowed()
        return np.union1d(ids, [self._opening]).astype(np.intp)

    def accept(self, token: int) -> None:
        if token != self._opening and not self._lead:
            self._form.accept(token)
