"""`file:///…`: a file of this machine, used where it lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from .errors import BadUri, SourceNotFound


@dataclass(frozen=True, slots=True)
class LocalFile:
    uri: str
    path: Path

    @classmethod
    def parse(cls, uri: str) -> Self:
        parts = urlsplit(uri)
        path = Path(unquote(parts.path))
        if parts.netloc not in ("", "localhost") or not path.is_absolute() or "\0" in str(path):
            raise BadUri(uri, "is not of the form file:///absolute/path")
        return cls(uri, path)

    @property
    def file_name(self) -> str:
        return self.path.name

    def check(self) -> None:
        """Raises SourceNotFound unless it is a regular file."""
        if problem := problem_of(self.path):
            raise SourceNotFound(self.uri, problem)


def problem_of(path: Path) -> str:
    """Why it is no regular file, as far as it can be looked at; empty where it is one."""
    try:
        if path.is_file():
            return ""
        return "is not a regular file" if path.exists() else "there is no such file"
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
