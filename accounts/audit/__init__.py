"""The audit log: who did what, in a chain that shows when it is altered."""

from .log import (
    CHUNK,
    NO_HASH,
    AuditError,
    Broken,
    content_of,
    diff,
    export_line,
    hash_of,
    record,
    verify,
)

__all__ = [
    "CHUNK",
    "NO_HASH",
    "AuditError",
    "Broken",
    "content_of",
    "diff",
    "export_line",
    "hash_of",
    "record",
    "verify",
]
