"""Which snapshots have to go, whether a process uses them or not: those that are too old, and
those of owners who are to be forgotten.

A file's name begins with its owner's, so nobody has to open it to know whose it is. Who is
to be forgotten has a mark beside the folders: every engine looks for marks now and then,
and forgets what it has of them in memory.
"""

from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

FOLDER = "kv"  # below the state's directory
SUFFIX = ".kv"
MARK = ".forgotten"
OWNER_BYTES = 16


def owner_digest(owner: str) -> bytes:
    return sha256(owner.encode()).digest()[:OWNER_BYTES]


def owner_of(salt: str) -> str:
    """Whose sequences of that salt are, whatever adapter computed them."""
    return salt.rpartition("\0")[2]


def forget(root: Path, owner: str) -> None:
    """Delete the owner's files, and have every engine forget what it has in memory.

    Raises:
        OSError: they cannot be deleted, or the mark not be written.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is in memory alone goes, too
    name = owner_digest(owner).hex()
    (root / f"{name}{MARK}").write_bytes(b"")  # first: a file may be on its way to the disk
    for path in root.glob(f"*/{name}-*{SUFFIX}"):
        path.unlink(missing_ok=True)


def expire(root: Path, before: float) -> int:
    """Delete the files and marks that were last used before then, in seconds since 1970; how
    many files that were.
    """
    num_deleted = 0
    for path in (*root.glob(f"*/*{SUFFIX}"), *root.glob(f"*{MARK}")):
        with suppress(OSError):
            if path.stat().st_mtime < before:
                path.unlink()
                num_deleted += path.suffix == SUFFIX
    return num_deleted


def marks(root: Path) -> Iterator[tuple[bytes, float]]:
    """The digests of owners that were to be forgotten, and when: seconds since 1970."""
    for path in root.glob(f"*{MARK}"):
        with suppress(OSError, ValueError):
            yield bytes.fromhex(path.stem), path.stat().st_mtime


class Marks:
    """Those below `root`, each of which is new once; the ones that are there already never."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._heeded = dict(marks(root))

    def new(self) -> set[bytes]:
        """The digests of owners that were to be forgotten since the last time."""
        said = dict(marks(self._root))
        new = {owner for owner, at in said.items() if self._heeded.get(owner) != at}
        self._heeded = said
        return new
