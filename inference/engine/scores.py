"""How likely the tokens of a prompt were, each after those before it."""

import codecs
from collections.abc import Iterator, Sequence

import msgspec

from .logprobs import Ranks


class PromptLogprob(msgspec.Struct, frozen=True, array_like=True):
    """A token of a prompt, control tokens by their names.

    Attributes:
        logprob: None of the first one, which follows nothing.
        offset: characters of the echo before it.
    """

    text: bytes
    logprob: float | None
    offset: int
    top: list[tuple[bytes, float]]


def offsets(names: Sequence[bytes], pieces: Sequence[bytes], echo: str) -> Iterator[int]:
    """Where each token stands in the echo, which need not be what their pieces make.

    A vocabulary may put a space before the text, or a token that opens every prompt; and
    a control token has no piece, but stands in a text that was given by its name.

    Args:
        names, pieces: of the tokens; a control token's piece is empty.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    place = 0
    for name, piece in zip(names, pieces, strict=True):
        yield min(place, len(echo))
        text = decoder.decode(piece) if piece else name.decode(errors="replace")
        if not piece and not echo.startswith(text, place):
            continue
        is_put_before = not place and text.startswith(" ") and not echo.startswith(" ")
        place += len(text) - is_put_before


def prompt_logprobs(
    names: Sequence[bytes],
    places: Sequence[int],
    ranks: Sequence[Ranks],
    tops: Sequence[list[tuple[bytes, float]]],
) -> list[PromptLogprob]:
    """One for each token; `ranks` and `tops` are those of all but the first."""
    first, *rest = zip(names, places, strict=True)
    told = [PromptLogprob(first[0], None, first[1], [])]
    for (name, place), one, top in zip(rest, ranks, tops, strict=True):
        told.append(PromptLogprob(name, one.logprob, place, top))
    return told
