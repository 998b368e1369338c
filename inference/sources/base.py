"""What every source is: a URI, the name of its file, and a way to get it."""

import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from inference.gguf_file import PART_NAME

from .errors import BadUri, DiskFull, SplitModel

# Called with the bytes that are there and the bytes to come to, None while unknown.
# Both may begin anew when one part of the work ends and the next begins.
Progress = Callable[[int, int | None], None]

SUFFIX = ".gguf"
MAX_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class RemoteFile(ABC):
    """A file elsewhere. `file_name` is what it is called in the models folder."""

    uri: str
    file_name: str

    @classmethod
    @abstractmethod
    def parse(cls, uri: str) -> Self:
        """Raises BadUri or SplitModel."""

    @abstractmethod
    def download(self, part: Path, on_progress: Progress) -> str:
        """Write the file to `part`, or what is missing of it; the folder is ours alone.

        Returns the SHA-256 that the source names, or "". Raises SourceError, and
        OSError where `part` cannot be written; what has come by then may stay.
        """


def model_file_name(uri: str, path: str) -> str:
    """A harmless file name for what lies at `path`, which is percent-encoded."""
    base = re.split(r"[/\\]", unquote(path))[-1]
    name = re.sub(r"[^\w.+=@-]", "_", base, flags=re.ASCII).lstrip(".")
    if not name.lower().endswith(SUFFIX):
        raise BadUri(uri, f"names {base!r}, which is not a {SUFFIX} file")
    if PART_NAME.fullmatch(name):
        raise SplitModel(
            uri,
            "names one of several files of a model. Split models are not fetched yet;"
            " put all parts into one folder and name the first with file:///",
        )
    return name[: -len(SUFFIX)][:MAX_NAME_LENGTH] + SUFFIX


def check_space(uri: str, folder: Path, needed: int) -> None:
    """Raise DiskFull unless `needed` bytes fit beside what lies in `folder`."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskFull(uri, f"needs {needed} bytes in {folder}, where {free} are free")
