"""Values of files that others wrote: each is what it has to be, or is not there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

YEAR_3000 = 32_503_680_000  # in seconds; what is larger counts smaller parts of a second
NO_TIME = 10**20


def text(value: Any) -> str:
    """As every database stores it; empty unless it is text."""
    if not isinstance(value, str):
        return ""
    return value.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def clean(value: Any) -> Any:
    """The same with every text in it as `text` has it."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [clean(one) for one in value]
    if isinstance(value, dict):
        return {text(name): clean(one) for name, one in value.items()}
    return value


def line(value: Any, length: int) -> str:
    """The text's words in one line of at most that length."""
    return " ".join(text(value).split())[:length]


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def count(value: Any) -> int | None:
    """A number of tokens, as the database holds it."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value < 2**31 else None


def instant(value: Any) -> datetime | None:
    """From seconds since 1970, or thousandths, millionths or billionths of them."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 < value < NO_TIME:
        return None
    for _ in range(3):
        value = value / 1000 if value > YEAR_3000 else value
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None
