"""What every format is read into, and what a format has to do.

As with Django's backends: this states the contract, a file for each format fulfils it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _

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

    label: ClassVar[str | Promise]

    def recognizes(self, data: Any) -> bool:
        """Whether that JSON looks like one of this kind; it may still have faults."""
        raise NotImplementedError

    def read(self, data: Any, left: Leavings) -> list[Draft]:
        """What is in it. What cannot be used is left out, and said.

        Raises:
            BadFile: the whole cannot be used.
        """
        raise NotImplementedError


def message_of(role: Any) -> str:
    """Why a message is left out that is neither a person's nor a model's."""
    if not isinstance(role, str):
        return _("a message of nobody")
    return _("a message of %(role)s") % {"role": role[:40]}


def too_long() -> str:
    most = number_format(MAX_TEXT, force_grouping=True)
    return _("a text of more than %(most)s characters") % {"most": most}


def check_size(drafts: list[Draft]) -> list[Draft]:
    """
    Raises:
        BadFile: there is more than one file may have.
    """
    count = sum(len(draft.messages) for draft in drafts)
    if len(drafts) > MAX_CONVERSATIONS:
        raise BadFile(
            _("conversations: %(count)s are more than %(most)s.")
            % _counts(len(drafts), MAX_CONVERSATIONS)
        )
    if count > MAX_MESSAGES:
        raise BadFile(
            _("messages: %(count)s are more than %(most)s.") % _counts(count, MAX_MESSAGES)
        )
    return drafts


def _counts(count: int, most: int) -> dict[str, str]:
    numbers = {"count": count, "most": most}
    return {name: number_format(n, force_grouping=True) for name, n in numbers.items()}
