"""What a file is called, and what that says about its text."""

import unicodedata
from pathlib import PurePosixPath

from django.utils.translation import gettext as _

MAX_NAME = 200
MAX_SUFFIX = 20

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".css": "text/css",
    ".htm": "text/html",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".py": "text/x-python",
    ".toml": "application/toml",
    ".tsv": "text/tab-separated-values",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
PLAIN = "text/plain"
PDF = "application/pdf"


def clean_name(name: str) -> str:
    """The last part of a path, in characters that are seen and read from left to right.

    Of one that is too long, the end with its type stays.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    words = "".join(char if _is_seen(char) else "" for char in " ".join(last.split()))
    cleaned = words.strip(" .") or _("file")
    if len(cleaned) <= MAX_NAME:
        return cleaned
    suffix = PurePosixPath(cleaned).suffix[:MAX_SUFFIX]
    return cleaned[: MAX_NAME - len(suffix)] + suffix


def _is_seen(char: str) -> bool:
    """Not what controls a terminal or turns the text around, nor half a character."""
    return not unicodedata.category(char).startswith("C")


def media_type(name: str) -> str:
    """Of a text with that name."""
    return MEDIA_TYPES.get(PurePosixPath(name.lower()).suffix, PLAIN)
