"""How likely tokens were, kept in step with the text that they made."""

from dataclasses import dataclass

import msgspec

from .text import TextStream

LEAST = -9999.0  # what OpenAI writes for a token that could not be; JSON has no infinity


@dataclass(frozen=True, slots=True)
class Ranks:
    """What a backend says of a token it has sampled: logarithms of probabilities, base e.

    They are the model's own: before bias, penalties, temperature and all that
    chooses among tokens. `top` has the likeliest tokens, the first one first.
    """

    logprob: float
    top: list[tuple[int, float]]


class TokenLogprob(msgspec.Struct, frozen=True, array_like=True):
    """A token of an answer; control tokens among the `top` ones have their names for text.

    Attributes:
        offset: characters of the answer before it.
    """

    text: bytes
    logprob: float
    offset: int
    top: list[tuple[bytes, float]]


class LogprobStream:
    """Lets a token's logprob out together with the last of its text.

    Tokens that lie wholly behind the beginning of a stop string never come out: what
    comes out, joined, is the text, up to the rest of the token that the stop string
    begins in.

    Args:
        num_before: characters that the text opens with, which no token made.
    """

    def __init__(self, num_before: int = 0) -> None:
        self._waiting: list[tuple[int, TokenLogprob]] = []  # with the characters it needs sent
        self._num_decoded = num_before
        self._num_sent = 0

    def add(
        self, piece: bytes, ranks: Ranks, top: list[tuple[bytes, float]], to: TextStream
    ) -> None:
        """A token that `to` has just been fed."""
        token = TokenLogprob(piece, ranks.logprob, self._num_decoded, top)
        self._num_decoded = to.num_decoded
        self._waiting.append((to.num_decoded + to.is_within_character, token))

    def skip(self, to: TextStream) -> None:
        """A token that `to` has just been fed, and that nobody chose."""
        self._num_decoded = to.num_decoded

    def take(self, sent: str, to: TextStream, *, is_over: bool) -> list[TokenLogprob]:
        """Those that belong to the text which is sent now."""
        self._num_sent += len(sent)
        if to.stopped:
            ready = [token for _, token in self._waiting if token.offset < self._num_sent]
        else:
            ready = [t for end, t in self._waiting if is_over or end <= self._num_sent]
        del self._waiting[: len(ready)]
        return ready
