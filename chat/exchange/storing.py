"""Stores what was read from a file. A conversation comes in as a whole, or not at all."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from chat.attachments.store import room_for
from chat.models import Attachment, Conversation, Folder, Message
from chat.models.conversation import MAX_FOLDERS

from .base import Draft, DraftMessage

AT_ONCE = 500  # rows an INSERT

# What one transaction has, if it is not one large conversation.
MAX_ROWS = 500
MAX_CHARACTERS = 500_000


def batches(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    """What is stored at once: others can write in between."""
    batch: list[Draft] = []
    num_rows = num_characters = 0
    for draft in drafts:
        rows, characters = 1 + len(draft.messages) + draft.num_files, draft.num_characters
        is_full = num_rows + rows > MAX_ROWS or num_characters + characters > MAX_CHARACTERS
        if batch and is_full:
            yield batch
            batch, num_rows, num_characters = [], 0, 0
        batch.append(draft)
        num_rows, num_characters = num_rows + rows, num_characters + characters
    if batch:
        yield batch


@dataclass
class Shelf:
    """Where a file's conversations go."""

    user: User
    owner: str
    homeless: dict[str, int] = field(default_factory=dict)  # by folders that there is no room for
    crowded: list[str] = field(default_factory=list)  # names of files that no room is left for

    @transaction.atomic
    def store(self, drafts: list[Draft]) -> None:
        room = room_for(self.user)
        for draft in drafts:
            room = self._fit(draft, room)
            _store(draft, self.user, self.owner, self._folder(draft.folder))

    def _fit(self, draft: Draft, room: int) -> int:
        """Leave out what does not fit, and its copies; the characters that are left then."""
        left: set[int | None] = set()
        for message in draft.messages:
            files, message.files = message.files, []
            for file in files:
                size = len(file.columns["text"])
                if size <= room and file.source not in left:
                    room -= size
                    message.files.append(file)
                else:
                    left.add(file.number)
                    self.crowded.append(file.columns["name"])
        return room

    def _folder(self, name: str) -> Folder | None:
        """The one of that name, a new one if there is none; None if no more fit."""
        if not name:
            return None
        found = self.user.folders.filter(name=name).first()
        if found or self.user.folders.count() < MAX_FOLDERS:
            return found or Folder.objects.get_or_create(user=self.user, name=name)[0]
        self.homeless[name] = self.homeless.get(name, 0) + 1
        return None


def _store(draft: Draft, user: User, owner: str, folder: Folder | None) -> None:
    columns = dict(draft.columns)
    if columns.pop("archived", False):
        columns["archived_at"] = draft.updated_at or timezone.now()
    created_at = draft.created_at or timezone.now()
    conversation = Conversation.objects.create(
        owner=owner,
        user=user,
        title=draft.title,
        folder=folder,
        updated_at=draft.updated_at or created_at,
        **columns,
    )
    keys = _store_messages(conversation, draft.messages)
    # `auto_now_add` would have set its own.
    head = keys[draft.head] if draft.head else None
    Conversation.objects.filter(pk=conversation.pk).update(created_at=created_at, head=head)


def _store_messages(conversation: Conversation, drafts: list[DraftMessage]) -> dict[str, int]:
    """Ids grow in the file's order; only then are they known, for links between messages."""
    uids = {draft.key: uuid.uuid4() for draft in drafts}
    rows = [_row(conversation, draft, uids) for draft in drafts]
    Message.objects.bulk_create(rows, batch_size=AT_ONCE)
    keys = {draft.key: row.pk for draft, row in zip(drafts, rows, strict=True)}
    _link(conversation, drafts, keys)
    _store_files(conversation, drafts, rows)
    return keys


def _link(conversation: Conversation, drafts: list[DraftMessage], keys: dict[str, int]) -> None:
    """One statement, run for each: `bulk_update` takes milliseconds a row."""
    adapt = connection.ops.adapt_datetimefield_value
    rows = [
        (
            keys[draft.parent] if draft.parent else None,
            adapt(draft.created_at or conversation.created_at),
            keys[draft.key],
        )
        for draft in drafts
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE chat_message SET parent_id = %s, created_at = %s WHERE id = %s", rows
        )


def _store_files(
    conversation: Conversation, drafts: list[DraftMessage], rows: list[Message]
) -> None:
    """Copies come last: what they are copies of has its key by then."""
    made: dict[int, Attachment] = {}
    copies: list[tuple[Attachment, int]] = []
    for draft, row in zip(drafts, rows, strict=True):
        for file in draft.files:
            attachment = Attachment(user=conversation.user, message=row, **file.columns)
            if file.source is None:
                made[file.number] = attachment
            else:
                copies.append((attachment, file.source))
    Attachment.objects.bulk_create(made.values(), batch_size=AT_ONCE)
    for attachment, source in copies:
        attachment.source = made[source]
    Attachment.objects.bulk_create([one for one, _ in copies], batch_size=AT_ONCE)


def _row(conversation: Conversation, draft: DraftMessage, uids: dict[str, uuid.UUID]) -> Message:
    unseen = [uids[key].hex for key in draft.columns.get("unseen", ())]
    return Message(
        uid=uids[draft.key],
        conversation=conversation,
        role=draft.role,
        text=draft.text,
        **{**draft.columns, "unseen": unseen},
    )
