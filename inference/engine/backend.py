"""What the engine asks of a model."""

import collections.abc
from typing import Any, Protocol

import numpy as np

from .config import EngineConfig, EngineInfo
from .grammar import Constraint, Grammar
from .request import Sequence
from .scheduler import Work


class Reader(Protocol):
    """Of a loaded model, what reads text: it may be used from any thread."""

    config: EngineConfig
    info: EngineInfo
    max_token_length: int  # characters of the longest token's text

    @property
    def infill(self) -> tuple[int, int, int] | None:
        """Tokens that stand before a text, its suffix and what fills in between, if it has them."""

    def tokenize(self, text: str, add_special: bool = True) -> list[int]:
        """Tokens of a prompt, with the model's own opening token unless told without."""

    def render(self, messages: list[dict[str, object]], options: dict[str, object]) -> str:
        """The prompt that the model's chat template makes of the messages."""

    def has_token(self, token: int) -> bool:
        """Whether the number is a token of the vocabulary."""

    def is_special(self, token: int) -> bool:
        """Whether the token stands for no text."""

    def name(self, token: int) -> bytes:
        """What people call the token: its text, or a name if it has none."""

    def piece(self, token: int) -> bytes:
        """The token's part of the text; empty for control tokens."""


class EmbedBackend(Reader, Protocol):
    """A loaded model that turns texts into numbers. Only for the engine's thread:"""

    def pair(self, query: str, document: str) -> list[int]:
        """Tokens of both, as a model is given them that judges documents; from any thread."""

    def embed(self, inputs: collections.abc.Sequence[list[int]]) -> list[np.ndarray[Any, Any]]:
        """Compute one step: a vector for each input, or in a vector of one its relevance, 0 to 1.

        Raises:
            DecodeFailed: nothing came of it.
        """

    def close(self) -> None:
        """Free the model. Nothing else may be called afterwards."""


class Backend(Reader, Protocol):
    """A loaded model that writes, and its KV cache. Only for the engine's thread, but for
    the first method:
    """

    def constraint(self, grammar: Grammar) -> Constraint:
        """A new one at the beginning of the grammar, from any thread. What samples asks it.

        Raises:
            InvalidParameter: the grammar cannot be used.
        """

    def is_end(self, token: int) -> bool:
        """Whether the model says with this token that its answer is complete."""

    def begin(self, sequence: Sequence) -> None:
        """Prepare to sample for the sequence; it has a slot, and may have had one before."""

    def forward(self, works: collections.abc.Sequence[Work]) -> list[int]:
        """Compute one step; return a token for each work that samples, in order.

        Sequences that ask for logprobs get the `ranks` of theirs.

        Raises:
            DecodeFailed: what the cache holds is in doubt.
        """

    def copy(self, source: int, slot: int, num_tokens: int) -> None:
        """Let an empty slot begin with the first tokens of another; if `can_share`."""

    def forget(self, slot: int) -> None:
        """Empty the slot's part of the KV cache."""

    def end(self, sequence: Sequence) -> None:
        """Free what `begin` made."""

    def clear(self) -> None:
        """Empty the whole KV cache."""

    def close(self) -> None:
        """Free the model. Nothing else may be called afterwards."""
