"""Brings a file's conversations into the database: all of them, or none."""

import uuid
from dataclasses import dataclass
from typing import IO, Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from chat.models import Attachment, Conversation, Folder, Message

from . import values
from .base import Draft, DraftMessage, Format, Leavings, check_size
from .errors import BadFile
from .openai import OpenAIFormat
from .openwebui import OpenWebUIFormat
from .own import OwnFormat
from .upload import read_json

FORMATS: tuple[Format, ...] = (OwnFormat(), OpenAIFormat(), OpenWebUIFormat())
AT_ONCE = 500  # rows an INSERT


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file had."""

    label: str
    num_conversations: int
    num_messages: int
    left: Leavings


def import_file(file: IO[bytes], user: User, owner: str) -> Imported:
    """
    Raises:
        BadFile: it is of no known format, or has faults; then nothing is imported.
    """
    data = read_json(file)
    kind = next((one for one in FORMATS if one.recognizes(data)), None)
    if kind is None:
        labels = ", ".join(str(one.label) for one in FORMATS)
        raise BadFile(
            _("The file is of no format that is known here: %(labels)s.") % {"labels": labels}
        )
    left = Leavings()
    drafts = check_size(kind.read(data, left))
    with transaction.atomic():
        folders = _folders(drafts, user)
        for draft in drafts:
            _store(draft, user, owner, folders)
    return Imported(str(kind.label), len(drafts), sum(len(d.messages) for d in drafts), left)


def _folders(drafts: list[Draft], user: User) -> dict[str, Folder]:
    names = {values.text(draft.folder) for draft in drafts} - {""}
    return {name: Folder.objects.get_or_create(user=user, name=name)[0] for name in names}


def _store(draft: Draft, user: User, owner: str, folders: dict[str, Folder]) -> None:
    columns = _clean(draft.columns)
    if columns.pop("archived", False):
        columns["archived_at"] = draft.updated_at or timezone.now()
    created_at = draft.created_at or timezone.now()
    conversation = Conversation.objects.create(
        owner=owner,
        user=user,
        title=values.text(draft.title),
        folder=folders.get(values.text(draft.folder)),
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
    files = [
        Attachment(user=conversation.user, message=row, **_clean(file.columns))
        for draft, row in zip(drafts, rows, strict=True)
        for file in draft.files
    ]
    Attachment.objects.bulk_create(files, batch_size=AT_ONCE)


def _row(conversation: Conversation, draft: DraftMessage, uids: dict[str, uuid.UUID]) -> Message:
    columns = _clean(draft.columns)
    columns["unseen"] = [str(uids[key]) for key in columns.get("unseen", []) if key in uids]
    return Message(
        uid=uids[draft.key],
        conversation=conversation,
        role=draft.role,
        text=values.text(draft.text),
        **columns,
    )


def _clean(columns: dict[str, Any]) -> dict[str, Any]:
    return {k: values.text(v) if isinstance(v, str) else v for k, v in columns.items()}
