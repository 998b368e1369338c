"""A file that is partly here, and the mark of what it is the beginning of."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PartialFile:
    """`etag` is a strong ETag, or "" when the rest could not be told from another file's.

    `is_checked`: the caller compares the whole with a hash, so no ETag is needed.
    """

    path: Path
    is_checked: bool = False

    @property
    def _etag_file(self) -> Path:
        return self.path.with_name(f"{self.path.name}.etag")

    @property
    def etag(self) -> str:
        return self._etag_file.read_text() if self._etag_file.exists() else ""

    @property
    def size(self) -> int:
        """Bytes that another attempt need not fetch."""
        is_known = bool(self.etag) or self.is_checked
        return self.path.stat().st_size if is_known and self.path.exists() else 0

    def begin(self, etag: str) -> None:
        """Forget what is here; what is written from now on belongs to `etag`."""
        self.discard()
        if etag.isascii() and not etag.startswith("W/"):
            self._etag_file.write_text(etag)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._etag_file.unlink(missing_ok=True)
