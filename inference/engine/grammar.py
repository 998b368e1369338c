"""What form an answer must have."""

from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from .errors import GrammarTooComplex, InvalidParameter

MAX_GRAMMAR_CHARS = 2**16

Kind = Literal["json_schema", "grammar", "lark", "regex"]


class Grammar(msgspec.Struct, frozen=True):
    """A language that the answer is a sentence of; `grammar` is GBNF, or Lark if it looks so.

    `param` is the request's field that errors name.

    Raises:
        InvalidParameter: it is empty, or too long.
    """

    kind: Kind
    source: str
    param: str

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise InvalidParameter(self.param, self.source, "is empty")
        if len(self.source) > MAX_GRAMMAR_CHARS:
            why = f"has {len(self.source)} characters, more than {MAX_GRAMMAR_CHARS}"
            raise InvalidParameter(self.param, self.source, why)


class Constraint(Protocol):
    """How far one answer has got in its grammar."""

    @property
    def is_complete(self) -> bool:
        """Nothing may follow but the end."""

    @property
    def error(self) -> GrammarTooComplex | None:
        """Why it can be followed no further, if it cannot: any token is as good then."""

    def prepare(self) -> None:
        """Find out which tokens may come next. It may run beside the model's step."""

    def allowed(self) -> NDArray[np.intp]:
        """Ids of those tokens, one at least; the model's ends are among them."""

    def accept(self, token: int) -> None:
        """Go on past an allowed token."""
