"""Tokens of prompts, without reading again what their owner has said before.

A conversation comes whole with every turn, and a system prompt with every request; to read a
thousand tokens takes some ten milliseconds, in which nobody else's prompt is read. Texts are
cut where the vocabulary allows it (`Reader.seams`): the pieces' tokens are those of the whole.
"""

from array import array
from itertools import pairwise

from .backend import Reader

LEAST_KEPT = 64  # characters; less is read sooner than found
MOST_KEPT = 2_000_000  # characters of the pieces since the last time, and of those before it


class Pieces:
    """Asks one backend; to be used by one thread at a time.

    What one owner has said makes nothing faster for another, who could tell by that. What they
    do not say again is forgotten soon, as whoever deletes it expects: see `tidy`.
    """

    def __init__(self, backend: Reader) -> None:
        self._backend = backend
        self._recent: dict[tuple[str, str, bool], array[int]] = {}
        self._older: dict[tuple[str, str, bool], array[int]] = {}
        self._size = 0  # characters of the recent ones

    def tokenize(self, text: str, add_special: bool = True, owner: str | None = None) -> list[int]:
        """As the backend does; None is nobody's, and is not kept."""
        if owner is None or self._backend.seams is None:
            return self._backend.tokenize(text, add_special)
        tokens: list[int] = []
        short = ""  # pieces that are read together
        for piece in self._cut(text):
            if len(piece) < LEAST_KEPT:
                short += piece
                continue
            if short:
                tokens += self._backend.tokenize(short, add_special)
                short, add_special = "", False
            tokens += self._known(owner, piece, add_special)
            add_special = False
        if short or add_special:
            tokens += self._backend.tokenize(short, add_special)
        return tokens

    def _cut(self, text: str) -> list[str]:
        assert self._backend.seams
        cuts = [0, *(found.start() for found in self._backend.seams.finditer(text)), len(text)]
        return [text[start:end] for start, end in pairwise(cuts) if end > start]

    def _known(self, owner: str, piece: str, add_special: bool) -> "array[int]":
        key = owner, piece, add_special
        tokens = self._recent.get(key)
        if tokens is None:
            tokens = self._older.pop(key, None)
            if tokens is None:
                tokens = array("i", self._backend.tokenize(piece, add_special))
            self._recent[key] = tokens
            self._size += len(piece)
            if self._size > MOST_KEPT:
                self.tidy()
        return tokens

    def tidy(self) -> None:
        """Forget what was not said since the last time."""
        self._older, self._recent, self._size = self._recent, {}, 0
