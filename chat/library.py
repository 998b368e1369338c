"""A person's conversations in order: by where they are kept, and by when they last grew."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User

from .models import Conversation, Folder

PAGE = 50
RECENT, ARCHIVED, DELETED = "recent", "archived", "deleted"
FOLDER = "folder-"
CURSOR = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,18})")
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where conversations are kept: `name` is `recent`, `archived`, `deleted` or `folder-7`.

    One in a folder is shown there, and not among the recent ones.
    """

    name: str
    folder: Folder | None = None

    @property
    def title(self) -> str:
        if self.folder:
            return self.folder.name
        return {ARCHIVED: _("Archived"), DELETED: _("Recently deleted")}.get(self.name, "")

    @property
    def is_deleted(self) -> bool:
        return self.name == DELETED

    def rows(self, owner: str) -> QuerySet[Conversation]:
        if self.is_deleted:
            return Conversation.objects.deleted_by(owner).chats().order_by("-deleted_at", "-pk")
        mine = Conversation.objects.owned_by(owner).chats().order_by("-updated_at", "-pk")
        if self.name == ARCHIVED:
            return mine.exclude(archived_at=None)
        return mine.filter(archived_at=None, folder=self.folder)


def place_of(name: str, user: User) -> Place:
    """
    Raises:
        Folder.DoesNotExist: there is no such place, or it is another person's folder.
    """
    if name in (RECENT, ARCHIVED, DELETED):
        return Place(name)
    number = name.removeprefix(FOLDER)
    if not name.startswith(FOLDER) or not number.isdecimal() or len(number) > 18:
        raise Folder.DoesNotExist
    return Place(name, user.folders.get(pk=int(number)))


def where_kept(conversation: Conversation) -> Place:
    if conversation.deleted_at:
        return Place(DELETED)
    if conversation.archived_at:
        return Place(ARCHIVED)
    if conversation.folder:
        return Place(conversation.folder.place_name, conversation.folder)
    return Place(RECENT)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of a place ended: at that time, with that primary key. The row itself may
    have gone since, or grown, and be elsewhere.
    """

    at: datetime
    key: int

    def __str__(self) -> str:
        return f"{(self.at - EPOCH) // MICROSECOND}.{self.key}"

    @classmethod
    def of(cls, text: str) -> "Cursor":
        """
        Raises:
            ValueError: it is none.
        """
        match = CURSOR.fullmatch(text)
        if match is None:
            raise ValueError(text)
        try:
            return cls(EPOCH + int(match[1]) * MICROSECOND, int(match[2]))
        except OverflowError:
            raise ValueError(text) from None


@dataclass(frozen=True, slots=True)
class Group:
    """Conversations under one heading; none if it stands above already."""

    heading: str
    rows: list[Conversation]


@dataclass(frozen=True, slots=True)
class Listing:
    place: Place
    groups: list[Group]
    more_after: Cursor | None

    @property
    def is_empty(self) -> bool:
        return not self.groups


def listing(owner: str, place: Place, after: Cursor | None, now: datetime) -> Listing:
    """A page of what is there, or the one after that.

    Pinned ones come first, all of them on the first page.
    """
    rows = place.rows(owner)
    loose = rows if place.is_deleted else rows.filter(is_pinned=False)
    page = [*(_after(loose, after, place) if after else loose)[: PAGE + 1]]
    pinned = [] if after or place.is_deleted else [*rows.filter(is_pinned=True)]
    groups = [Group(_("Pinned"), pinned)] if pinned else []
    above = _heading(after.at, now) if after else ""
    groups += _grouped(page[:PAGE], place, above, now)
    last = page[PAGE - 1] if len(page) > PAGE else None
    return Listing(place, groups, Cursor(_at(last, place), last.pk) if last else None)


def _after(rows: QuerySet[Conversation], after: Cursor, place: Place) -> QuerySet[Conversation]:
    column = "deleted_at" if place.is_deleted else "updated_at"
    earlier = Q(**{f"{column}__lt": after.at}) | Q(**{column: after.at, "pk__lt": after.key})
    return rows.filter(earlier)


def _at(row: Conversation, place: Place) -> datetime:
    at = row.deleted_at if place.is_deleted else row.updated_at
    assert at is not None
    return at


def _grouped(
    rows: Iterable[Conversation], place: Place, above: str, now: datetime
) -> Iterator[Group]:
    for heading, group in groupby(rows, key=lambda row: _heading(_at(row, place), now)):
        yield Group("" if heading == above else heading, [*group])


def _heading(at: datetime, now: datetime) -> str:
    """By days of the time zone that `now` is in."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for days, heading in ((0, _("Today")), (1, _("Yesterday")), (7, _("Last 7 days"))):
        if at >= today - timedelta(days=days):
            return heading
    return _("Older")
