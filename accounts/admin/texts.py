"""How values read in lists."""

from datetime import UTC, datetime


def moment(at: datetime | None) -> str:
    """To the second, in UTC; nothing for what has not happened."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else ""
