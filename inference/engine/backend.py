"""What the engine asks of a model."""

import collections.abc
import re
from typing import Any, NamedTuple, Protocol

import numpy as np

from .config import EngineConfig, EngineInfo
from .grammar import Constraint, Grammar
from .image import Image
from .request import Sequence
from .scheduler import Work
from .snapshot_file import State
from .speculation import Drafter


def nothing() -> None:
    """To do meanwhile."""


class Vectors(NamedTuple):
    """A part of a prompt that an image becomes: so many vectors, each in the place of a token.

    `is_whole` and `num_positions` are those of a Span.
    """

    length: int
    is_whole: bool = False
    num_positions: int | None = None


class Eyes(Protocol):
    """What reads images for a model; it may be used from any thread."""

    salt: str  # names all that decides, beside an image, what it becomes

    def look(self, image: Image) -> list[list[int] | Vectors]:
        """What the image becomes in a prompt: vectors, and tokens around and between them.

        Raises:
            InvalidParameter: it cannot be decoded, or has more vectors than a step.
        """


class Reader(Protocol):
    """Of a loaded model, what reads text: it may be used from any thread."""

    config: EngineConfig
    info: EngineInfo
    max_token_length: int  # characters of the longest token's text
    seams: re.Pattern[str] | None  # in front of which a text can be cut: see `llama.seams`

    @property
    def eyes(self) -> Eyes | None:
        """What reads images, if anything does."""

    @property
    def infill(self) -> tuple[int, int, int] | None:
        """Tokens that stand before a text, its suffix and what fills in between, if it has them."""

    @property
    def opening(self) -> int | None:
        """The token that begins a thought, if its chat template knows that it may think."""

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
    the first two methods:
    """

    @property
    def drafter(self) -> Drafter | None:
        """A second model that guesses for this one, if it has one; closed with it."""

    def constraint(self, grammar: Grammar, owner: str = "") -> Constraint:
        """A new one at the beginning of the grammar, from any thread. What samples asks it.

        Raises:
            InvalidParameter: the grammar cannot be used.
        """

    def check_adapter(self, id: str) -> None:
        """From any thread.

        Raises:
            ModelLoadFailed: requests cannot have that adapter; an empty id stands for none.
        """

    def is_end(self, token: int) -> bool:
        """Whether the model says with this token that its answer is complete."""

    def begin(self, sequence: Sequence) -> None:
        """Prepare to sample for the sequence; it has a slot, and may have had one before."""

    def forward(
        self,
        works: collections.abc.Sequence[Work],
        meanwhile: collections.abc.Callable[[], None] = nothing,
    ) -> list[list[int]]:
        """Compute one step; return tokens for each work that samples, in order.

        `meanwhile` is called once, while the device computes if `info.is_async`.

        That is one, and one more for each of the first drafted tokens that were right.
        Of those that were wrong nothing stays.

        All works are of one adapter; one with a span is alone.

        Sequences that ask for logprobs get the `ranks` of theirs, and as many more `scores` as
        tokens of the work are `scored`.

        Raises:
            DecodeFailed: what the cache holds is in doubt.
        """

    def copy(self, source: int, slot: int, start: int, end: int) -> None:
        """Let a slot have another's cells from `start` to `end` as well; if `can_share`."""

    def cut(self, slot: int, start: int, end: int | None) -> None:
        """Take from a slot its cells from `start` to `end`, or all from there on."""

    def save(self, slot: int) -> State:
        """What the cache holds of the slot; if `can_share`. Empty if that cannot be had."""

    def restore(self, slot: int, saved: State, num_tokens: int) -> bool:
        """Let an empty slot begin with the first tokens of what was saved, of any slot.

        False, and the slot is empty, if that cannot be: without cells for all of them, say.
        """

    def end(self, sequence: Sequence) -> None:
        """Free what `begin` made."""

    def clear(self) -> None:
        """Empty the whole KV cache."""

    def close(self) -> None:
        """Free the model. Nothing else may be called afterwards."""
