"""One models folder: which of its files came from which URI.

`.fetch` in it holds, for each URI, a lock, the folder of a download on its way, and
a receipt that names the file that came of it.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from inference.gguf_file import sha256_of

from .base import RemoteFile
from .errors import redacted

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """`path` is absolute; `sha256` is what was found, in lower-case hexadecimal."""

    path: Path
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """`file` is the name in the models folder; `uri` is there for people."""

    uri: str
    file: str
    sha256: str


class ModelStore:
    """What is in `folder` of one remote file. Raises OSError where the disk does."""

    def __init__(self, folder: Path, remote: RemoteFile) -> None:
        self._folder = folder.absolute()
        self._remote = remote
        self._state = self._folder / ".fetch"
        self._key = hashlib.sha256(remote.uri.encode()).hexdigest()[:16]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held by one at a time, over all processes."""
        self._state.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._state / f"{self._key}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.info("waiting for another download of %s", redacted(self._remote.uri))
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def make_part(self) -> Path:
        """Where the file grows; the folder around it goes when it is published."""
        self._work.mkdir(exist_ok=True)
        return self._work / f"{self._remote.file_name}.part"

    def find(self, sha256: str) -> FetchedFile | None:
        """What came before or was put there by hand, if its content is as it should be."""
        receipt = self._receipt()
        if receipt and sha256 in ("", receipt.sha256):
            return self._if_intact(self._folder / receipt.file, receipt.sha256)
        return self._if_intact(self._folder / self._remote.file_name, sha256) if sha256 else None

    def publish(self, part: Path, sha256: str) -> FetchedFile:
        """Give the whole file its name, at once and for good."""
        _sync(part)
        with FileLock(self._state / "names.lock"):
            path = self._free_path()
            os.replace(part, path)
        _sync(self._folder)
        self._write_receipt(Receipt(redacted(self._remote.uri), path.name, sha256))
        shutil.rmtree(self._work)
        return FetchedFile(path, sha256, path.stat().st_size)

    @property
    def _work(self) -> Path:
        return self._state / self._key

    @property
    def _receipt_file(self) -> Path:
        return self._state / f"{self._key}.json"

    def _free_path(self) -> Path:
        """Its own old file, else its plain name, else one with the key, to spare another's."""
        receipt = self._receipt()
        if receipt and receipt.file not in self._names_of_others():
            return self._folder / receipt.file
        path = self._folder / self._remote.file_name
        return path.with_stem(f"{path.stem}-{self._key[:8]}") if path.exists() else path

    def _names_of_others(self) -> set[str]:
        files = set(self._state.glob("*.json")) - {self._receipt_file}
        return {receipt.file for receipt in map(_read_receipt, files) if receipt}

    def _receipt(self) -> Receipt | None:
        return _read_receipt(self._receipt_file)

    def _write_receipt(self, receipt: Receipt) -> None:
        draft = self._work / "receipt"
        draft.write_text(json.dumps(asdict(receipt)))
        _sync(draft)
        os.replace(draft, self._receipt_file)

    @staticmethod
    def _if_intact(path: Path, sha256: str) -> FetchedFile | None:
        if not path.is_file() or sha256_of(path) != sha256:
            return None
        return FetchedFile(path, sha256, path.stat().st_size)


def _read_receipt(file: Path) -> Receipt | None:
    """None also for one that is damaged: its URI is then fetched anew."""
    try:
        return Receipt(**json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
