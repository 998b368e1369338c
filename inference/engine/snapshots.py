"""Idle conversations, outside the KV cache: in memory, and when that is short on disk."""

import logging
import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .snapshot_disk import SnapshotDisk
from .snapshot_file import Label, State, Tokens, digest
from .upkeep import OWNER_BYTES, owner_digest, owner_of

logger = logging.getLogger(__name__)

WRITING_SHARE = 4  # one part in so many of the memory is for what is on its way to the disk


@dataclass(eq=False, slots=True)
class Stored:
    """A snapshot in memory, on disk, or on its way there: then it has no `path` yet."""

    label: Label
    num_bytes: int  # of the state
    used_at: float  # seconds since 1970
    state: State | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What `find` found: the first `num_tokens` of what is stored are those looked for."""

    num_tokens: int
    stored: Stored


class SnapshotStore:
    """States of token sequences, by salt: owner, and adapter. None is ever given another's.

    It knows nothing of models: `fingerprint` names all that a state depends on, and who
    differs in it shares nothing. Of a state whose first tokens only are wanted, the whole
    is given, for the backend to cut; so of two that begin alike the longer one is kept.

    Memory holds `ram_bytes` of states, least recently used out first, and one state more
    while it is being written. Files take `disk_bytes`, those of all stores below the same
    `directory` counted together; without a directory, or without room there, what has to
    leave memory is gone. What was last used `max_seconds` ago, if they are not 0, goes with
    the next `expire`. For one thread, beside the writer's own.
    """

    def __init__(
        self,
        fingerprint: str,
        directory: Path | None,
        ram_bytes: int,
        disk_bytes: int,
        max_seconds: float = 0.0,
    ) -> None:
        self._max_seconds = max_seconds
        self._fingerprint = digest(fingerprint.encode())
        self._max_writing = ram_bytes // WRITING_SHARE
        self._max_kept = ram_bytes - self._max_writing
        self._lock = threading.Lock()  # of all that follows
        self._owners: dict[bytes, list[Stored]] = {}
        self._kept: dict[Stored, None] = {}  # in memory, least recently used first
        self._num_kept = 0  # bytes, as is the next
        self._num_writing = 0
        self._last_write: Future[None] | None = None
        self._writer = ThreadPoolExecutor(1, "snapshots")
        self._disk: SnapshotDisk | None = None
        if directory is not None:
            self._disk = SnapshotDisk(directory, self._fingerprint, disk_bytes)
            self.expire(time.time())
            self._read_index(self._disk)

    def put(self, owner: str, tokens: Sequence[int], state: State) -> None:
        """Keep the state of these tokens, in place of what it makes superfluous.

        A disk that is too slow loses the state rather than makes the caller wait.
        """
        label = Label(self._fingerprint, _digest(owner), np.array(tokens, np.int32))
        with self._lock:
            if not self._is_new(label):
                return
            stored = Stored(label, len(state), time.time(), state)
            self._owners.setdefault(label.owner, []).append(stored)
            self._kept[stored] = None
            self._num_kept += stored.num_bytes
            while self._num_kept > self._max_kept:
                self._spill(next(iter(self._kept)))

    def find(self, owner: str, tokens: Sequence[int]) -> Entry | None:
        """The owner's snapshot that begins with the most of these tokens, if any does."""
        wanted = np.array(tokens, np.int32)
        with self._lock:
            stored = self._owners.get(_digest(owner), ())
            entries = [Entry(_num_common(one.label.tokens, wanted), one) for one in stored]
        # Of equals, the one that is had soonest: in memory, and small.
        best = max(entries, key=_worth, default=None)
        return best if best and best.num_tokens else None

    def load(self, entry: Entry) -> State | None:
        """The whole state of what is stored; None if it is gone or in doubt, and then
        nobody will find it again. From disk that takes its time, within this call.
        """
        stored = entry.stored
        with self._lock:
            stored.used_at = time.time()
            state, path = stored.state, stored.path
            if stored in self._kept:
                self._kept[stored] = self._kept.pop(stored)  # as the last to leave
        if state is None and self._disk and path:
            state = self._disk.read(path, stored.label)
        if state is None:
            self.discard(entry)
        return state

    def discard(self, entry: Entry) -> None:
        """Let nobody find it again. It may be gone already."""
        with self._lock:
            self._remove(entry.stored)

    def forget(self, owners: set[bytes]) -> None:
        """Let go what is of these, given by their digests."""
        with self._lock:
            for stored in self._all():
                if stored.label.owner[:OWNER_BYTES] in owners:
                    self._remove(stored)

    def expire(self, now: float) -> None:
        """Let go what is too old; `now` is in seconds since 1970."""
        if not self._max_seconds:
            return
        before = now - self._max_seconds
        with self._lock:
            for stored in self._all():
                if stored.used_at < before:
                    self._remove(stored)
        if self._disk:
            self._disk.expire(before)

    def flush(self, max_seconds: float = math.inf) -> None:
        """Put onto the disk what is in memory, those used last first, and wait for it.

        None is begun after `max_seconds`.
        """
        until = time.monotonic() + max_seconds
        if self._last_write:
            self._last_write.result()
        with self._lock:
            kept = [*reversed(self._kept)] if self._disk else []
        for num_written, stored in enumerate(kept):
            if time.monotonic() > until:
                logger.warning(
                    "%d idle conversations are not kept: no time", len(kept) - num_written
                )
                break
            with self._lock:
                self._leave_memory(stored)
                self._num_writing += stored.num_bytes
            self._write(stored)

    # With the lock held

    def _all(self) -> list[Stored]:
        return [stored for those in self._owners.values() for stored in those]

    def _is_new(self, label: Label) -> bool:
        """Whether none covers it. Those that it covers are removed."""
        for stored in [*self._owners.get(label.owner, ())]:
            num_common = _num_common(stored.label.tokens, label.tokens)
            if num_common == len(label.tokens):
                self._touch(stored)
                return False
            if num_common == len(stored.label.tokens):
                self._remove(stored)
        return True

    def _touch(self, stored: Stored) -> None:
        stored.used_at = time.time()
        if stored in self._kept:
            self._kept[stored] = self._kept.pop(stored)
        elif stored.path and self._disk:
            self._disk.touch(stored.path)

    def _spill(self, stored: Stored) -> None:
        """Take it out of memory, onto the disk if that is there and not behind."""
        self._leave_memory(stored)
        room = self._max_writing - self._num_writing
        is_behind = self._num_writing and stored.num_bytes > room
        if self._disk is None or not self._disk.is_writable or is_behind:
            self._remove(stored)
            return
        self._num_writing += stored.num_bytes
        self._last_write = self._writer.submit(self._write, stored)

    def _leave_memory(self, stored: Stored) -> None:
        if stored in self._kept:
            del self._kept[stored]
            self._num_kept -= stored.num_bytes

    def _remove(self, stored: Stored) -> None:
        owner = stored.label.owner
        others = [one for one in self._owners.get(owner, ()) if one is not stored]
        if others:
            self._owners[owner] = others
        else:
            self._owners.pop(owner, None)
        self._leave_memory(stored)
        if stored.path and self._disk:
            self._disk.delete(stored.path)

    # Without it

    def _write(self, stored: Stored) -> None:
        """On the writer's thread, or while it has nothing to do."""
        state, path = stored.state, None
        assert self._disk is not None
        assert state is not None
        try:
            path = self._disk.write(stored.label, state, stored.used_at)
        except Exception:
            logger.exception("a snapshot could not be written")
        with self._lock:
            self._num_writing -= stored.num_bytes
            stored.path, stored.state = path, None
            is_wanted = stored in self._owners.get(stored.label.owner, ())
            if path is None or not is_wanted:  # it may have been removed meanwhile
                self._remove(stored)

    def _read_index(self, disk: SnapshotDisk) -> None:
        forgotten = disk.marks()
        for file, label in disk.labels():
            is_forgotten = file.used_at <= forgotten.get(label.owner[:OWNER_BYTES], -math.inf)
            if not is_forgotten and self._is_new(label):
                stored = Stored(label, file.num_bytes, file.used_at, path=file.path)
                self._owners.setdefault(label.owner, []).append(stored)
            else:
                disk.delete(file.path)  # or two processes had the same conversation


def _digest(salt: str) -> bytes:
    return owner_digest(owner_of(salt)) + digest(salt.encode())[:OWNER_BYTES]


def _num_common(one: Tokens, other: Tokens) -> int:
    """Tokens that both begin with."""
    length = min(len(one), len(other))
    differs = one[:length] != other[:length]
    first = int(differs.argmax()) if length else 0
    return first if length and differs[first] else length


def _worth(entry: Entry) -> tuple[int, bool, int]:
    return entry.num_tokens, entry.stored.state is not None, -entry.stored.num_bytes
