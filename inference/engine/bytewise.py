"""Constrained answers of a model that has no words for them: byte by byte."""

from collections.abc import Set

import numpy as np
from llguidance import LLTokenizer, TokenizerWrapper
from numpy.typing import NDArray

from .compiler import Compiler
from .errors import GrammarTooComplex
from .grammar import Constraint

END = 0
FIRST = 2**20  # the token of byte 0; those of words are less
QUOTE, BACKSLASH = FIRST + ord('"'), FIRST + ord("\\")
# What is taken first: what closes before what opens, so that answers end soon.
PREFERRED = b'}])",:0123456789tfn{[' + bytes(range(32, 127)) + b"\n"


class Bytes:
    """llguidance's view of the vocabulary: the end is 0, and a byte its value and 1."""

    eos_token_id = END
    bos_token_id = None
    special_token_ids = (END,)
    tokens = (b"<end>", *(bytes([byte]) for byte in range(256)))

    def __call__(self, text: bytes) -> list[int]:
        return [byte + 1 for byte in text]


class Bytewise:
    """A constraint whose tokens are END and those from FIRST on."""

    def __init__(self, inner: Constraint) -> None:
        self._inner = inner
        self.prepare = inner.prepare

    @property
    def is_complete(self) -> bool:
        return self._inner.is_complete

    @property
    def error(self) -> GrammarTooComplex | None:
        return self._inner.error

    def allowed(self) -> NDArray[np.intp]:
        ids = self._inner.allowed()
        return np.where(ids == END, END, ids - 1 + FIRST)

    def accept(self, token: int) -> None:
        self._inner.accept(END if token == END else token - FIRST + 1)


def shortest(allowed: Set[int]) -> int:
    """The next token of an answer that is about the shortest."""
    if {QUOTE, BACKSLASH} <= allowed:  # within a string
        return QUOTE
    order = (END, *(FIRST + byte for byte in PREFERRED))
    return next((token for token in order if token in allowed), min(allowed))


def piece(token: int) -> bytes:
    return bytes([token - FIRST])


def make_compiler() -> Compiler:
    return Compiler(lambda: LLTokenizer(TokenizerWrapper(Bytes())))
