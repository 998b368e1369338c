"""What every format is read into, and what a format has to do.

As with Django's backends: this states the contract, a file for each format fulfils it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from .errors import BadFile

MAX_CONVERSATIONS = 5_000
MAX_MESSAGES = 200_000  # of a file
MAX_TEXT = 2_000_000  # characters of a message or an attachment


@dataclass(slots=True)
class DraftFile:
    """An attachment; `columns` are those of the model."""

    columns: dict[str, Any]


@dataclass(slots=True)
class DraftMessage:
    """A message, known in its file by `key`; `columns` are those of the model."""

    key: str
    parent: str | None
    role: str
    text: str
    created_at: datetime | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    files: list[DraftFile] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """A conversation. Parents stand before their children, and `head` is one of the messages."""

    title: str
    messages: list[DraftMessage]
    head: str | None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    folder: str = ""
    columns: dict[str, Any] = field(default_factory=dict)


class Leavings:
    """What is not imported, and why; by reason, with the first few places."""

    PLACES_SHOWN = 5

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}

    def add(self, reason: str, place: str) -> None:
        self._counts[reason] += 1
        places = self._places.setdefault(reason, [])
        if len(places) < self.PLACES_SHOWN:
            places.append(place)

    def __iter__(self) -> Iterator[tuple[str, int, list[str]]]:
        """Reasons, how often each, and where first."""
        for reason, count in self._counts.most_common():
            yield reason, count, self._places[reason]

    def __len__(self) -> int:
        return self._counts.total()


class Format:
    """A kind of file."""

    label: ClassVar[str]

    def recognizes(self, data: Any) -> bool:
        """Whether that JSON looks like one of this kind; it may still have faults."""
        raise NotImplementedError

    def read(self, data: Any, left: Leavings) -> list[Draft]:
        """What is in it. What cannot be used is left out, and said.

        Raises:
            BadFile: the whole cannot be used.
        """
        raise NotImplementedError


def check_size(drafts: list[Draft]) -> list[Draft]:
    """
    Raises:
        BadFile: there is more than one file may have.
    """
    count = sum(len(draft.messages) for draft in drafts)
    if len(drafts) > MAX_CONVERSATIONS:
        raise BadFile(f"conversations: {len(drafts)} are more than {MAX_CONVERSATIONS}.")
    if count > MAX_MESSAGES:
        raise BadFile(f"messages: {count} are more than {MAX_MESSAGES}.")
    return drafts
