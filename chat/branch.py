"""The branch of a conversation that is shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

from django.db.models import QuerySet, prefetch_related_objects

from .errors import MessageNotFound
from .models import Attachment, Conversation, Message
from .tree import Tree


@dataclass(frozen=True, slots=True)
class Shown:
    """A message, and what could stand in its place: itself among them, oldest first."""

    message: Message
    alternatives: list[UUID]

    @property
    def position(self) -> int:
        """From 1."""
        return self.alternatives.index(self.message.uid) + 1

    @property
    def previous(self) -> UUID | None:
        return self.alternatives[self.position - 2] if self.position > 1 else None

    @property
    def next(self) -> UUID | None:
        has_next = self.position < len(self.alternatives)
        return self.alternatives[self.position] if has_next else None


def branch(conversation: Conversation, last: int | None = None) -> list[Shown]:
    """The messages up to that one, or to the conversation's head."""
    uids, tree = _shape(conversation)
    path = tree.path(last or conversation.head_id)
    rows = Message.objects.prefetch_related("attachments__source").in_bulk(path)
    for key, parent in zip(path, [None, *path], strict=False):  # asked for by templates
        rows[key].parent, rows[key].conversation = rows[parent] if parent else None, conversation
    return [Shown(rows[key], [uids[one] for one in tree.siblings(key)]) for key in path]


def end_of_branch(uid: UUID, length: int) -> tuple[list[Shown], int]:
    """The message and up to `length - 1` before it, and how many attachments are before those.

    Nothing else is read of the conversation but its shape.

    Raises:
        Message.DoesNotExist: it is not there.
    """
    uids, tree = _shape_around(uid)
    if not uids:
        raise Message.DoesNotExist
    path = tree.path(_key_of(uid, uids.items()))
    end, before = path[-length:], path[:-length]
    rows = Message.objects.select_related("conversation").prefetch_related("attachments__source")
    found = rows.in_bulk(end)
    parent = Message(pk=before[-1], uid=uids[before[-1]]) if before else None
    for key in end:  # asked for by templates, which want no more than its uid of the first
        found[key].parent, parent = parent, found[key]
    num_before = Attachment.objects.filter(message__in=before).count() if before else 0
    return [Shown(found[key], [uids[one] for one in tree.siblings(key)]) for key in end], num_before


def attachments_before(branch: Sequence[Shown], num_before: int = 0) -> dict[int, int]:
    """How many there are before each message, by its primary key; `num_before` the first."""
    counts = [len(one.message.attachments.all()) for one in branch]
    keys = (one.message.pk for one in branch)
    return dict(zip(keys, accumulate(counts, initial=num_before), strict=False))


def num_attachments(uid: UUID) -> int:
    """Files that the branch up to that message gives the model to read."""
    beside = Attachment.objects.filter(message__conversation__messages__uid=uid)
    carriers = {*beside.values_list("message_id", flat=True)}
    if not carriers:  # as in most conversations
        return 0
    uids, tree = _shape_around(uid)
    path = tree.path(_key_of(uid, uids.items())) if uids else []  # it may just have been deleted
    return Attachment.objects.filter(message__in=carriers.intersection(path)).count()


def messages_up_to(last: Message) -> list[Message]:
    """The branch that ends in this message, with attachments."""
    if last.parent_id is None:
        prefetch_related_objects([last], "attachments__source")
        return [last]
    return [shown.message for shown in branch(last.conversation, last.pk)]


def switch(conversation: Conversation, uid: UUID) -> None:
    """Show the branch through that message, where it was left.

    Raises:
        MessageNotFound: the conversation has no such message.
    """
    uids, tree = _shape(conversation)
    key = _key_of(uid, uids.items())
    conversation.head_id = tree.newest_leaf(key)
    conversation.save(update_fields=["head"])


def _shape(conversation: Conversation) -> tuple[dict[int, UUID], Tree]:
    return _shape_of(conversation.messages.all())


def _shape_around(uid: UUID) -> tuple[dict[int, UUID], Tree]:
    """Of the conversation that the message is in; empty if it is in none."""
    return _shape_of(Message.objects.filter(conversation__messages__uid=uid))


def _shape_of(messages: QuerySet[Message]) -> tuple[dict[int, UUID], Tree]:
    rows = [*messages.values_list("pk", "uid", "parent_id")]
    return {pk: uid for pk, uid, _ in rows}, Tree({pk: parent for pk, _, parent in rows})


def _key_of(uid: UUID, items: Iterable[tuple[int, UUID]]) -> int:
    for key, known in items:
        if known == uid:
            return key
    raise MessageNotFound(uid)
