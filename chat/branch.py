"""The branch of a conversation that is shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

from django.db.models import prefetch_related_objects

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


def attachments_before(branch: Sequence[Shown]) -> dict[int, int]:
    """How many there are before each message, by its primary key."""
    counts = [len(one.message.attachments.all()) for one in branch]
    keys = (one.message.pk for one in branch)
    return dict(zip(keys, accumulate(counts, initial=0), strict=False))


def num_attachments(uid: UUID) -> int:
    """Files that the branch up to that message gives the model to read."""
    message = Message.objects.select_related("conversation").filter(uid=uid).first()
    if message is None:
        return 0
    path = _shape(message.conversation)[1].path(message.pk)
    return Attachment.objects.filter(message__in=path).count()


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
    rows = [*conversation.messages.values_list("pk", "uid", "parent_id")]
    return {pk: uid for pk, uid, _ in rows}, Tree({pk: parent for pk, _, parent in rows})


def _key_of(uid: UUID, items: Iterable[tuple[int, UUID]]) -> int:
    for key, known in items:
        if known == uid:
            return key
    raise MessageNotFound(uid)
