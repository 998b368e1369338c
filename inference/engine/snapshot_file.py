"""The file of one snapshot: whose it is, its tokens, and their state in the KV cache.

All numbers are little-endian. The head, 180 bytes:

| bytes | what |
|---|---|
| 8 | magic |
| 4 | version of the format |
| 4 | number of tokens |
| 8 | bytes of the state |
| 32 | SHA-256 of the fingerprint: of the model, the context's options and the build |
| 16 | SHA-256 of the owner, its first half |
| 16 | SHA-256 of the salt, likewise: of the owner, and of the adapter that computed it |
| 32 | SHA-256 of the SHA-256s of the state's parts, 4 MiB each |
| 32 | SHA-256 of the head so far and the tokens |
| 28 | zeros |

The tokens follow, 4 bytes each, and then the state, up to the file's end. Reading 35 MB
takes 10 ms and checking them 25 (Xeon), so several threads do, each its part: 250 MB of an 8B
model's 2,000 tokens are to be there sooner than a GPU computes them.
"""

import os
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .machine import available_cores

MAGIC = b"LLMSITKV"
VERSION = 3
DIGEST_BYTES = 32
PART_BYTES = 4 * 2**20
MOST_THREADS = 8
_FIELDS = struct.Struct("<8sIIQ32s32s32s")
_HEAD_BYTES = _FIELDS.size + DIGEST_BYTES + 28

State = bytes | memoryview  # as llama.cpp gave it
Tokens = NDArray[np.int32]


class Damaged(Exception):
    """The file is not what its name promises: it must not be used."""


@dataclass(frozen=True, eq=False, slots=True)
class Label:
    """What a state is of; two that differ in any of it must never be mistaken."""

    fingerprint: bytes  # digests, as is the next
    owner: bytes  # and of the salt
    tokens: Tokens

    def matches(self, other: "Label") -> bool:
        is_theirs = (self.fingerprint, self.owner) == (other.fingerprint, other.owner)
        return is_theirs and np.array_equal(self.tokens, other.tokens)


def digest(*parts: bytes | memoryview) -> bytes:
    hashed = sha256()
    for part in parts:
        hashed.update(part)
    return hashed.digest()


def _digest_parts(size: int, digest_part: Callable[[slice], bytes]) -> bytes:
    """Of a state of so many bytes; `digest_part` is called on several threads."""
    parts = [slice(start, min(start + PART_BYTES, size)) for start in range(0, size, PART_BYTES)]
    if len(parts) < 2:
        return digest(*map(digest_part, parts))
    with ThreadPoolExecutor(min(len(parts), MOST_THREADS, available_cores())) as threads:
        return digest(*threads.map(digest_part, parts))


def file_bytes(label: Label, num_state_bytes: int) -> int:
    """The size of the file."""
    return _HEAD_BYTES + label.tokens.nbytes + num_state_bytes


def write(path: Path, label: Label, state: State) -> None:
    """Make the file, for its owner's eyes only; it must not be there yet.

    It is not forced onto the disk: what a power cut leaves of it does not check.

    Raises:
        OSError: and there may be a part of it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with open(os.open(path, flags, 0o600), "wb") as file:
        tokens = label.tokens.astype("<i4").tobytes()
        fields = _FIELDS.pack(
            MAGIC,
            VERSION,
            len(label.tokens),
            len(state),
            label.fingerprint,
            label.owner,
            _digest_parts(len(state), lambda part: digest(memoryview(state)[part])),
        )
        head = fields + digest(fields, tokens)
        file.write(head.ljust(_HEAD_BYTES, b"\0") + tokens)
        file.write(state)


def read_label(path: Path) -> Label:
    """What the file's state is of; the state itself is not looked at.

    Raises:
        Damaged: it is no such file, or is shorter or longer than it should be.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return _read_head(file)[0]


def read_state(path: Path, label: Label) -> State:
    """The state, if it is the label's and as it was written.

    Raises:
        Damaged: it is not.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        found, num_bytes, expected = _read_head(file)
        if not found.matches(label):
            raise Damaged("it is another state's file")
        state, start = np.empty(num_bytes, np.uint8).data, file.tell()

        def read(part: slice) -> bytes:
            """A part that is cut off leaves its place as it was, and does not check."""
            os.preadv(file.fileno(), [state[part]], start + part.start)
            return digest(state[part])

        if _digest_parts(num_bytes, read) != expected:
            raise Damaged("its state has changed")
    return state


def _read_head(file: BinaryIO) -> tuple[Label, int, bytes]:
    """The label, the bytes of the state and its digest; the state comes next."""
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES:
        raise Damaged("it is too short")
    fields = head[: _FIELDS.size]
    magic, version, num_tokens, num_bytes, fingerprint, owner, state = _FIELDS.unpack(fields)
    if (magic, version) != (MAGIC, VERSION):
        raise Damaged("its format is another")
    # Before anything of that size is read: the size itself may be damaged.
    if os.fstat(file.fileno()).st_size != _HEAD_BYTES + 4 * num_tokens + num_bytes:
        raise Damaged("its length is wrong")
    tokens = file.read(4 * num_tokens)
    hashed = digest(fields, tokens)
    if head[_FIELDS.size :] != hashed.ljust(_HEAD_BYTES - _FIELDS.size, b"\0"):
        raise Damaged("its head has changed")
    array = np.frombuffer(tokens, "<i4").astype(np.int32)
    return Label(fingerprint, owner, array), num_bytes, state
