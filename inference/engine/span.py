"""The part of a prompt that is an image: vectors, where others have tokens."""

import hashlib
import struct
from dataclasses import dataclass

from .image import Image


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to `end`, the tokens of a prompt only stand for the image's vectors.

    Attributes:
        index: which of the image's parts it is; a large one may be cut into several.
        is_whole: all that is left of it has to be computed in one step, since its vectors
            attend to each other both ways.
        num_positions: what comes behind it is so far behind its start; None: as far as it
            has vectors, and each is one behind the other.
    """

    start: int
    end: int
    image: Image
    index: int = 0
    is_whole: bool = False
    num_positions: int | None = None

    @property
    def num_skipped(self) -> int:
        """Positions fewer than vectors."""
        length = self.end - self.start
        return 0 if self.num_positions is None else length - self.num_positions


def placeholders(salt: str, digest: bytes, index: int, length: int) -> list[int]:
    """What stands for an image's vectors in a prompt: numbers below 0, which no token has.

    The same for the same part of an image of that `digest` and the same `salt`, and others
    for any other: a prompt is known by its tokens, in the cache and in snapshots. Each has
    31 bits of a hash: of two images the first may be equal once in two thousand million
    times, the first two never.
    """
    named = digest + f"{index}:{salt}".encode()
    raw = hashlib.shake_256(named).digest(4 * length)
    return [~(number >> 1) for number in struct.unpack(f"<{length}I", raw)]
