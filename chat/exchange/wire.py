"""How what is in a file comes from its reader: MessagePack, the length before each piece."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import msgspec

from .base import Draft
from .reading import Reading
from .words import Words

SIZE = 8  # bytes of a length
Left = tuple[Words, int, list[str]]


class Head(msgspec.Struct, frozen=True):
    """What comes first, and alone where there is a fault.

    `parameters` are those of conversations, by number, for whoever knows which there are.
    """

    fault: Words | None = None
    label: Words = Words("")
    num_conversations: int = 0
    left: list[Left] = []
    parameters: dict[int, dict[str, Any]] = {}


def packed(reading: Reading) -> Iterator[bytes]:
    found = ((n, one.columns.get("parameters")) for n, one in enumerate(reading.drafts))
    parameters = {number: one for number, one in found if one}
    head = Head(None, reading.label, len(reading.drafts), [*reading.left], parameters)
    return _framed(chain([head], reading.drafts))


def packed_fault(words: Words) -> Iterator[bytes]:
    return _framed([Head(words)])


def _framed(pieces: Iterable[Any]) -> Iterator[bytes]:
    for piece in pieces:
        raw = msgspec.msgpack.encode(piece)
        yield len(raw).to_bytes(SIZE)
        yield raw


def unpacked(data: bytes) -> tuple[Head, Iterator[Draft]]:
    """Conversations are unpacked as they are asked for: memory holds few of them."""
    pieces = _pieces(data)
    head = msgspec.msgpack.decode(next(pieces), type=Head)
    decoder = msgspec.msgpack.Decoder(Draft)
    return head, map(decoder.decode, pieces)


def _pieces(data: bytes) -> Iterator[memoryview]:
    view, at = memoryview(data), 0
    while at < len(data):
        start = at + SIZE
        at = start + int.from_bytes(view[at:start])
        yield view[start:at]
