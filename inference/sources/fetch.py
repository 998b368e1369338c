"""From a URI to a whole, verified file in the models folder."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.gguf_file import BadModelFile, inspect, sha256_of

from .base import Progress, RemoteFile
from .errors import BadUri, DiskFull, StorageFailed, UnknownScheme, WrongChecksum, redacted
from .http import HttpFile
from .hub import HubFile
from .local import LocalFile
from .pypi import WheelFile
from .store import FetchedFile, ModelStore

SCHEMES: dict[str, type[RemoteFile] | type[LocalFile]] = {
    "pypi": WheelFile,
    "hf": HubFile,
    "https": HttpFile,
    "http": HttpFile,
    "file": LocalFile,
}
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def parse(uri: str) -> RemoteFile | LocalFile:
    """Raises BadUri (UnknownScheme) or SplitModel."""
    scheme, separator, _ = uri.partition("://")
    scheme = scheme.lower()
    if not separator:
        raise BadUri(uri, "is not a URI; a source begins with hf://, https://, pypi:// or file://")
    if scheme not in SCHEMES:
        known = ", ".join(SCHEMES)
        raise UnknownScheme(uri, f"expected one of the schemes {known}, found {scheme!r}")
    return SCHEMES[scheme].parse(uri)


def fetch(uri: str, models_dir: Path, *, sha256: str = "", on_progress: Progress) -> FetchedFile:
    """The file that `uri` names, downloaded into `models_dir` unless it is there intact.

    Of several calls for one URI at a time, over all processes, one downloads and the
    others wait for it. A file under its final name is always whole and verified. Where
    the name is taken by another source's file, part of the URI's hash is added to it.
    A `file:///` URI is used where it lies.

    Raises:
        SourceError: see `errors`; the text names the URI.
        BadModelFile: what came is not a whole GGUF model.
    """
    source = parse(uri)
    expected = sha256.lower()
    with _storage_errors(uri):
        if isinstance(source, LocalFile):
            return _use_in_place(source, expected, on_progress)
        store = ModelStore(models_dir, source)
        with store.lock():
            return store.find(expected) or _download(source, store, expected, on_progress)


def _use_in_place(source: LocalFile, expected: str, on_progress: Progress) -> FetchedFile:
    source.check()
    info = inspect(source.path)
    found = sha256_of(source.path)
    _check_sha256(source.uri, expected, found)
    on_progress(info.size_bytes, info.size_bytes)
    return FetchedFile(source.path, found, info.size_bytes)


def _download(
    source: RemoteFile, store: ModelStore, expected: str, on_progress: Progress
) -> FetchedFile:
    part = store.make_part()
    named = source.download(part, on_progress)
    try:
        found = _verify(source.uri, part, expected or named)
    except (WrongChecksum, BadModelFile):
        part.unlink()  # it is complete: to go on from here would never mend it
        raise
    return store.publish(part, found)


def _verify(uri: str, part: Path, expected: str) -> str:
    found = sha256_of(part)
    _check_sha256(uri, expected, found)
    try:
        inspect(part)
    except BadModelFile as error:
        raise BadModelFile(redacted(uri), error.problem) from None
    return found


def _check_sha256(uri: str, expected: str, found: str) -> None:
    if expected and found != expected:
        raise WrongChecksum(uri, expected, found)


@contextmanager
def _storage_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = DiskFull if error.errno in NO_ROOM else StorageFailed
        where = f"{error.filename}: " if error.filename else ""
        raise kind(uri, f"{where}{error.strerror or error}") from error
