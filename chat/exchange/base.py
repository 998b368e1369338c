"""What every format is read into, and what a format has to do.

As with Django's backends: this states the contract, a file for each format fulfils it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from . import values
from .errors import BadFile
from .words import Words, gettext_noop, say
from .words import say as _

USER, ASSISTANT = "user", "assistant"

MAX_TITLE = 200
MAX_TEXT = 2_000_000  # characters of a message or an attachment

# Of a file
MAX_CONVERSATIONS = 5_000
MAX_MESSAGES = 50_000
MAX_FILES = 5_000
MAX_CHARACTERS = 32_000_000

# Of a conversation, which is stored as a whole: nobody else can write meanwhile.
MAX_MESSAGES_EACH = 2_000
MAX_CHARACTERS_EACH = 6_000_000

NODE_CHARACTERS = 50  # what an entry of a list takes at least, in memory and in the database


@dataclass(slots=True)
class DraftFile:
    """An attachment; `columns` are those of the model. It has the text of the one whose
    `number` in the conversation is `source`, if there is one.
    """

    columns: dict[str, Any]
    number: int
    source: int | None = None


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

    @property
    def num_files(self) -> int:
        return sum(len(message.files) for message in self.messages)

    @property
    def num_characters(self) -> int:
        """Of all that is stored of it."""
        messages = ((one.text, one.columns, one.files) for one in self.messages)
        texts = sum(
            len(text) + _size(columns) + sum(_size(file.columns) for file in files)
            for text, columns, files in messages
        )
        return texts + _size(self.columns)


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(NODE_CHARACTERS + _size(one) for one in value)
    return sum(_size(one) for one in value.values()) if isinstance(value, dict) else 0


class Leavings:
    """What is not imported, and why; by reason, with the first few places."""

    MAX_REASONS = 50
    PLACES_SHOWN = 5
    MAX_LENGTH = 200
    OTHERS = _("something else")

    def __init__(self) -> None:
        self._counts: Counter[Words] = Counter()
        self._places: dict[Words, list[str]] = {}

    def add(self, reason: Words, place: str) -> None:
        """Both may have a stranger's words."""
        if reason not in self._counts and len(self._counts) >= self.MAX_REASONS:
            reason = self.OTHERS
        self._counts[reason] += 1
        places = self._places.setdefault(reason, [])
        if len(places) < self.PLACES_SHOWN:
            places.append(values.line(place, self.MAX_LENGTH))

    def __iter__(self) -> Iterator[tuple[Words, int, list[str]]]:
        """Reasons, how often each, and where first."""
        for reason, count in self._counts.most_common():
            yield reason, count, self._places[reason]

    def __len__(self) -> int:
        return self._counts.total()


class Format:
    """A kind of file."""

    label: ClassVar[Words]

    def recognizes(self, data: Any) -> bool:
        """Whether that JSON looks like one of this kind; it may still have faults."""
        raise NotImplementedError

    def read(self, data: Any, left: Leavings) -> list[Draft]:
        """What is in it. What cannot be used is left out, and said.

        Raises:
            BadFile: the whole cannot be used.
        """
        raise NotImplementedError


def message_of(role: Any) -> Words:
    """Why a message is left out that is neither a person's nor a model's."""
    if not isinstance(role, str):
        return _("a message of nobody")
    return _("a message of %(role)s", role=role[:40])


def too_long() -> Words:
    return _("a text of more than %(most)s characters", most=MAX_TEXT)


def check_size(drafts: list[Draft]) -> None:
    """
    Raises:
        BadFile: there is more than one file may have.
    """
    messages = sum(len(draft.messages) for draft in drafts)
    files = sum(draft.num_files for draft in drafts)
    characters = sum(draft.num_characters for draft in drafts)
    for count, most, sentence in (
        (
            len(drafts),
            MAX_CONVERSATIONS,
            gettext_noop("conversations: %(count)s are more than %(most)s."),
        ),
        (messages, MAX_MESSAGES, gettext_noop("messages: %(count)s are more than %(most)s.")),
        (files, MAX_FILES, gettext_noop("attachments: %(count)s are more than %(most)s.")),
        (characters, MAX_CHARACTERS, gettext_noop("characters: %(count)s are more than %(most)s.")),
    ):
        if count > most:
            raise BadFile(say(sentence, count=count, most=most))


def without_large(drafts: list[Draft], left: Leavings) -> list[Draft]:
    """Those that can be stored at once."""
    return [draft for draft in drafts if not _is_large(draft, left)]


def _is_large(draft: Draft, left: Leavings) -> bool:
    if len(draft.messages) > MAX_MESSAGES_EACH:
        reason = _("a conversation of more than %(most)s messages", most=MAX_MESSAGES_EACH)
        left.add(reason, draft.title)
        return True
    if draft.num_characters > MAX_CHARACTERS_EACH:
        reason = _("a conversation of more than %(most)s characters", most=MAX_CHARACTERS_EACH)
        left.add(reason, draft.title)
        return True
    return False
