"""The header of a GGUF file: its metadata, and where its tensors lie.

The layout is https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The gguf
package's own GGUFReader keeps several objects for every entry of an array (2.4 s
and 170 MB for a vocabulary of 49,152 tokens) and follows whatever length a file
claims; this one steps over arrays, and over nothing that the file does not hold.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import Struct
from typing import Any

from gguf.constants import (
    GGML_QUANT_SIZES,
    GGUF_DEFAULT_ALIGNMENT,
    GGMLQuantizationType,
    GGUFValueType,
)

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_DIMENSIONS = 4
MAX_HEADER_BYTES = 128 * 2**20  # the largest vocabularies of today need about 20 MiB

U32, U64 = Struct("<I"), Struct("<Q")
SCALARS = {
    GGUFValueType.UINT8: Struct("<B"),
    GGUFValueType.INT8: Struct("<b"),
    GGUFValueType.UINT16: Struct("<H"),
    GGUFValueType.INT16: Struct("<h"),
    GGUFValueType.UINT32: U32,
    GGUFValueType.INT32: Struct("<i"),
    GGUFValueType.FLOAT32: Struct("<f"),
    GGUFValueType.BOOL: Struct("<?"),
    GGUFValueType.UINT64: U64,
    GGUFValueType.INT64: Struct("<q"),
    GGUFValueType.FLOAT64: Struct("<d"),
}

Value = str | int | float | bool


class HeaderError(ValueError):
    """What is wrong with the header, as the rest of a sentence about the file."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """`offset` counts bytes from the start of the tensor data."""

    name: str
    elements: int
    size_bytes: int
    offset: int


@dataclass(frozen=True, slots=True)
class Header:
    """`metadata` leaves arrays out; `data_start` is in bytes from the file's start."""

    metadata: dict[str, Value]
    tensors: list[Tensor]
    data_start: int

    @property
    def elements(self) -> int:
        return sum(tensor.elements for tensor in self.tensors)


def read_header(path: Path) -> Header:
    """Read the header, and check that the file is long enough for all its tensors.

    Raises:
        HeaderError: not a GGUF file, one that is cut off, or garbage.
        OSError: the file cannot be read.
    """
    with _opened(path) as (data, size):
        header = _Reader(data, size).header()
    _refuse_truncated(header, size)
    return header


def read_texts(path: Path, key: str) -> list[str]:
    """The texts of one array of the metadata; empty if there is no such array.

    Raises:
        HeaderError: not a GGUF file, one that is cut off, or garbage.
        OSError: the file cannot be read.
    """
    with _opened(path) as (data, size):
        return _Reader(data, size).texts(key)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[mmap, int]]:
    """What a header may be in, and the file's size in bytes."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(len(MAGIC)) != MAGIC:
            file.seek(0)
            raise HeaderError(f"is not a GGUF file: it begins with {file.read(8)!r}")
        with mmap(file.fileno(), min(size, MAX_HEADER_BYTES), access=ACCESS_READ) as data:
            yield data, size


def _refuse_truncated(header: Header, size: int) -> None:
    for tensor in header.tensors:
        end = header.data_start + tensor.offset + tensor.size_bytes
        if end > size:
            raise HeaderError(
                f"is truncated: it ends at byte {size}, its tensor {tensor.name!r} at byte {end}"
            )


class _Reader:
    """A position in the header, and what can be read from there."""

    def __init__(self, data: mmap, file_size: int) -> None:
        self._data = data
        self._file_size = file_size
        self._position = len(MAGIC)

    def header(self) -> Header:
        self._check_version()
        num_tensors, num_values = self._number(U64), self._number(U64)
        metadata = self._metadata(num_values)
        alignment = metadata.get("general.alignment", GGUF_DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise HeaderError(f"has a bad general.alignment: {alignment!r}")
        tensors = [self._tensor() for _ in range(num_tensors)]
        return Header(metadata, tensors, -(-self._position // alignment) * alignment)

    def texts(self, key: str) -> list[str]:
        self._check_version()
        self._number(U64)  # of tensors
        for _ in range(self._number(U64)):
            name = self._text()
            if name == key:
                return self._texts(key)
            self._value(name)
        return []

    def _texts(self, key: str) -> list[str]:
        if (self._kind(key), self._kind(key)) != (GGUFValueType.ARRAY, GGUFValueType.STRING):
            raise HeaderError(f"has no texts in {key!r}")
        return [self._text() for _ in range(self._number(U64))]

    def _check_version(self) -> None:
        version = self._number(U32)
        if version and version & 0xFFFF == 0:
            raise HeaderError("is a GGUF file of the other byte order, which is not supported")
        if version not in VERSIONS:
            known = " and ".join(map(str, VERSIONS))
            raise HeaderError(f"has GGUF version {version}; {known} are supported")

    def _metadata(self, num_values: int) -> dict[str, Value]:
        metadata: dict[str, Value] = {}
        for _ in range(num_values):
            key = self._text()
            value = self._value(key)
            if value is not None:
                metadata[key] = value
        return metadata

    def _value(self, key: str) -> Value | None:
        """The value here, or None for an array, which is stepped over."""
        kind = self._kind(key)
        if kind is GGUFValueType.ARRAY:
            self._skip_array(key)
            return None
        return self._text() if kind is GGUFValueType.STRING else self._number(SCALARS[kind])

    def _skip_array(self, key: str) -> None:
        kind, length = self._kind(key), self._number(U64)
        if kind is GGUFValueType.ARRAY:
            raise HeaderError(f"has an array of arrays in {key!r}")
        if kind is not GGUFValueType.STRING:
            self._skip(length * SCALARS[kind].size)
            return
        for _ in range(length):
            self._skip(self._number(U64))

    def _tensor(self) -> Tensor:
        name, num_dimensions = self._text(), self._number(U32)
        if num_dimensions > MAX_DIMENSIONS:
            raise HeaderError(f"has a tensor {name!r} of {num_dimensions} dimensions")
        elements = math.prod(self._number(U64) for _ in range(num_dimensions))
        type_, offset = self._number(U32), self._number(U64)
        try:
            block_elements, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(type_)]
        except ValueError:
            raise HeaderError(f"has a tensor {name!r} of unknown type {type_}") from None
        return Tensor(name, elements, elements // block_elements * block_bytes, offset)

    def _kind(self, key: str) -> GGUFValueType:
        number = self._number(U32)
        try:
            return GGUFValueType(number)
        except ValueError:
            raise HeaderError(f"has a value of unknown type {number} in {key!r}") from None

    def _text(self) -> str:
        size = self._number(U64)
        start = self._skip(size)
        # PostgreSQL stores no NUL, and none belongs here.
        return self._data[start : start + size].decode(errors="replace").replace("\0", "")

    def _number(self, kind: Struct) -> Any:
        return kind.unpack_from(self._data, self._skip(kind.size))[0]

    def _skip(self, size: int) -> int:
        """Step over `size` bytes; their start. Every read passes here."""
        start = self._position
        if size > len(self._data) - start:
            raise HeaderError(self._overrun(start + size))
        self._position = start + size
        return start

    def _overrun(self, end: int) -> str:
        if end > self._file_size:
            return f"is truncated: it ends at byte {self._file_size}, inside its header"
        return f"has a header of more than {MAX_HEADER_BYTES} bytes"
