"""What of a value may be written down: no secrets, and nothing that databases keep differently."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

SECRET_WORDS = frozenset(
    ("password", "passwords", "secret", "secrets", "token", "digest", "hash", "credentials")
)
API_KEY = re.compile(r"(sk-[A-Za-z0-9]{8})-[A-Za-z0-9]{40}")
MAX_TEXT = 500


def is_secret(name: str) -> bool:
    """By the words of a field's name; limits such as `tokens_per_day` are none."""
    return not SECRET_WORDS.isdisjoint(re.split(r"[^a-z]+", name.lower()))


def facts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values as JSON that comes back from every database as it went."""
    return {
        clean_text(name): _plain(value) for name, value in values.items() if not is_secret(name)
    }


def clean_text(text: str) -> str:
    """The text without API keys, and without what PostgreSQL does not store."""
    storable = text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return API_KEY.sub(r"\1-…", storable)


def instant(at: datetime) -> str:
    """In UTC, to the microsecond: the same text from every database."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int():
            return value
        case float():
            return _number(value)
        case datetime():
            return instant(value)
        case Mapping():
            return facts({str(name): item for name, item in value.items()})
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
    return _short(clean_text(str(value)))


def _number(value: float) -> int | float | str:
    """PostgreSQL keeps 1e16 and -0.0 as other digits than Python writes, and no NaN."""
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    return int(value) if value.is_integer() else value


def _short(text: str) -> str:
    """A long text, such as a chat template, is known by its beginning and its hash."""
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:100]}… ({len(text)} characters, SHA-256 {sha256(text.encode()).hexdigest()})"
