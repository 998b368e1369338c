"""Where model files come from: one URI scheme each, one way to fetch."""

from .base import Progress
from .errors import (
    AccessDenied,
    BadUri,
    DiskFull,
    InsecureRedirect,
    SourceError,
    SourceNotFound,
    SplitModel,
    StorageFailed,
    TransferFailed,
    UnknownScheme,
    WrongChecksum,
    redacted,
)
from .fetch import fetch, parse
from .local import LocalFile, problem_of
from .store import FetchedFile

__all__ = [
    "AccessDenied",
    "BadUri",
    "DiskFull",
    "FetchedFile",
    "InsecureRedirect",
    "LocalFile",
    "Progress",
    "SourceError",
    "SourceNotFound",
    "SplitModel",
    "StorageFailed",
    "TransferFailed",
    "UnknownScheme",
    "WrongChecksum",
    "fetch",
    "parse",
    "problem_of",
    "redacted",
]
