"""Links to a branch as it was, for whoever has the link."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from accounts import audit

from .branch import branch
from .models import Conversation, Message, Role, Share


@dataclass(frozen=True, slots=True)
class SharedMessage:
    """What others see of a message."""

    message: Message
    text: str


class NothingToShare(Exception):
    """Nothing has been said yet."""


@transaction.atomic
def share(conversation: Conversation) -> Share:
    """A link to the branch that is shown, as far as it is written.

    Raises:
        NothingToShare: there is no message yet.
    """
    path = [shown.message for shown in branch(conversation)]
    if not path:
        raise NothingToShare
    made = Share.objects.create(
        conversation=conversation,
        title=conversation.title,
        last=path[-1],
        lengths=[len(message.text) for message in path],
    )
    audit.record("conversation.shared", target_of(made))
    return made


@transaction.atomic
def revoke(share: Share, now: datetime) -> bool:
    """Whether it was open until now."""
    is_new = bool(Share.objects.filter(pk=share.pk, revoked_at=None).update(revoked_at=now))
    if is_new:
        audit.record("share.revoked", target_of(share))
    return is_new


def open_share(token: str) -> Share | None:
    """The link of that token, unless it was revoked, or what it leads to is gone."""
    is_gone = ~Q(conversation__deleted_at=None) | Q(conversation__user__is_active=False)
    rows = Share.objects.filter(token=token, revoked_at=None).exclude(is_gone)
    return rows.select_related("conversation").first()


def shared_messages(share: Share) -> list[SharedMessage]:
    """The branch as it was: an answer may have been continued since.

    What functions have returned is not shown, nor what the model was told by programs or
    imports as a system message: nobody has written it for others to read.
    """
    path = [shown.message for shown in branch(share.conversation, share.last_id)]
    pairs = zip(path, share.lengths, strict=True)
    seen = [SharedMessage(message, message.text[:length]) for message, length in pairs]
    said = [one for one in seen if one.message.role in (Role.USER, Role.ASSISTANT)]
    return [one for one in said if one.text or one.message.attachments.all()]


def target_of(share: Share) -> str:
    """Without its token and without a word of the conversation."""
    return f"share:{share.pk} of {share.conversation}"
