"""A person's conversations in order: by where they are kept, and by when they last grew."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User

from .models import Conversation, Folder

PAGE = 50
RECENT, ARCHIVED, DELETED = "recent", "archived", "deleted"
FOLDER = "folder-"


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
class Group:
    """Conversations under one heading; none if it stands above already."""

    heading: str
    rows: list[Conversation]


@dataclass(frozen=True, slots=True)
class Listing:
    place: Place
    groups: list[Group]
    more_after: UUID | None

    @property
    def is_empty(self) -> bool:
        return not self.groups


def listing(owner: str, place: Place, after: UUID | None, now: datetime) -> Listing:
    """A page of what is there, after that conversation if one is named.

    Pinned ones come first, all of them on the first page.
    """
    rows = place.rows(owner)
    last = rows.filter(uid=after).first() if after else None
    loose = rows if place.is_deleted else rows.filter(is_pinned=False)
    page = [*(_after(loose, last, place) if last else loose)[: PAGE + 1]]
    pinned = [] if after or place.is_deleted else [*rows.filter(is_pinned=True)]
    groups = [Group(_("Pinned"), pinned)] if pinned else []
    above = _heading(last, place, now) if last else ""
    groups += _grouped(page[:PAGE], place, above, now)
    return Listing(place, groups, page[PAGE - 1].uid if len(page) > PAGE else None)


def _after(
    rows: QuerySet[Conversation], last: Conversation, place: Place
) -> QuerySet[Conversation]:
    column = "deleted_at" if place.is_deleted else "updated_at"
    at = getattr(last, column)
    earlier = Q(**{f"{column}__lt": at}) | Q(**{column: at, "pk__lt": last.pk})
    return rows.filter(earlier)


def _grouped(
    rows: Iterable[Conversation], place: Place, above: str, now: datetime
) -> Iterator[Group]:
    for heading, group in groupby(rows, key=lambda row: _heading(row, place, now)):
        yield Group("" if heading == above else heading, [*group])


def _heading(row: Conversation, place: Place, now: datetime) -> str:
    """By days of the time zone that `now` is in."""
    at = row.deleted_at if place.is_deleted else row.updated_at
    assert at is not None
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for days, heading in ((0, _("Today")), (1, _("Yesterday")), (7, _("Last 7 days"))):
        if at >= today - timedelta(days=days):
            return heading
    return _("Older")
