"""Snapshots in files: as many as may be, those used lately first."""

import logging
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from . import snapshot_file, upkeep
from .snapshot_file import Damaged, Label, State
from .upkeep import OWNER_BYTES, SUFFIX

logger = logging.getLogger(__name__)

UNFINISHED = ".part"
ABANDONED_SECONDS = 3600  # of an unfinished file: its writer is gone


class File(NamedTuple):
    """They sort by their last use."""

    used_at: float  # seconds since 1970
    num_bytes: int
    path: Path


class SnapshotDisk:
    """The files of one fingerprint, in a folder of its own below `root`.

    The limit is for all that is below `root`: engines of other models, which have their
    folders there, and of other processes, which may share this one, all keep to it. So a
    file may be gone at any time. A file's time is that of its snapshot's last use.

    Nothing here raises: what cannot be written or read is not there, and is logged.
    """

    def __init__(self, root: Path, fingerprint: bytes, max_bytes: int) -> None:
        self.root = root
        self.max_bytes = max_bytes
        self._fingerprint = fingerprint
        self._folder = root / fingerprint.hex()[:32]
        self.is_writable = True  # until writing has failed once

    def labels(self) -> Iterator[tuple[File, Label]]:
        """What there is, least recently used first; what does not check is deleted."""
        self._trim(0)
        self._sweep()
        for file in _files(self._folder):
            try:
                label = snapshot_file.read_label(file.path)
                if label.fingerprint != self._fingerprint:
                    raise Damaged("it is another model's")
            except (Damaged, OSError) as error:
                self._doubt(file.path, error)
            else:
                yield file, label

    def write(self, label: Label, state: State, used_at: float) -> Path | None:
        """The new file; None if there is no room, or writing fails, now or before."""
        size = snapshot_file.file_bytes(label, len(state))
        if not self.is_writable or size > self.max_bytes:
            return None
        owner = label.owner[:OWNER_BYTES].hex()
        path = self._folder / f"{owner}-{secrets.token_hex(16)}{SUFFIX}"
        part = path.with_suffix(UNFINISHED)
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._trim(size)
            snapshot_file.write(part, label, state)
            os.utime(part, (used_at, used_at))
            part.rename(path)
        except OSError as error:
            logger.warning("idle conversations are not kept on disk: %s", error)
            self.is_writable = False
            self.delete(part)
            return None
        return path

    def read(self, path: Path, label: Label) -> State | None:
        """The label's state, and it has been used; None if it is gone or in doubt."""
        try:
            state = snapshot_file.read_state(path, label)
        except FileNotFoundError:
            return None  # another process had to make room
        except (Damaged, OSError) as error:
            self._doubt(path, error)
            return None
        self.touch(path)
        return state

    def expire(self, before: float) -> None:
        """Delete what was last used before then, seconds since 1970, in any folder."""
        upkeep.expire(self.root, before)

    def marks(self) -> dict[bytes, float]:
        """Owners to be forgotten, and when that was said, seconds since 1970."""
        return dict(upkeep.marks(self.root))

    def touch(self, path: Path) -> None:
        with suppress(OSError):
            os.utime(path)

    def delete(self, path: Path) -> None:
        with suppress(OSError):
            path.unlink(missing_ok=True)

    def _doubt(self, path: Path, error: Exception) -> None:
        logger.warning("a snapshot is not used, and deleted: %s: %s", path.name, error)
        self.delete(path)

    def _trim(self, more: int) -> None:
        """Make room for so many bytes."""
        files = _files(*_folders(self.root))
        used = more + sum(file.num_bytes for file in files)
        for file in files:
            if used <= self.max_bytes:
                break
            self.delete(file.path)
            used -= file.num_bytes

    def _sweep(self) -> None:
        """Delete what a process that died has left unfinished, in any folder."""
        for folder in _folders(self.root):
            for path in folder.glob(f"*{UNFINISHED}"):
                with suppress(OSError):
                    if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                        path.unlink()


def _files(*folders: Path) -> list[File]:
    """Those used least recently first."""
    found = []
    for folder in folders:
        for path in folder.glob(f"*{SUFFIX}"):
            with suppress(OSError):
                stat = path.lstat()
                found.append(File(stat.st_mtime, stat.st_size, path))
    return sorted(found)


def _folders(root: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in root.iterdir() if path.is_dir() and not path.is_symlink()]
    return []
