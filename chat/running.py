"""Answers under way, in the database: written when they begin, from time to time, and at
their end; never for a token.

A process that has died, or that somebody took for dead, writes nothing any more: every
change here asks for the row as this process left it.
"""

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.accounting import HOLDER
from accounts.models import Lease

from .models import Conversation, Message, Status
from .models.message import MessageQuerySet

OVER = {"holder": None, "channel": ""}


def checkpoint(answer: Message, **written: Any) -> bool:
    """Keep what there is so far; False if the answer was given up by somebody else."""
    return bool(_ours(answer).update(**written))


def end(answer: Message, status: Status, **fields: Any) -> bool:
    """Write the end down; False if it was given up by somebody else.

    Raises:
        Message.DoesNotExist: its conversation was deleted meanwhile.
    """
    fields |= {"status": status, **OVER}
    if not _ours(answer).update(**fields):
        _refresh(answer)
        return False
    for name, value in fields.items():  # nobody else writes it: nothing to be read again
        setattr(answer, name, value)
    return True


def _ours(answer: Message) -> MessageQuerySet:
    return _held_here(answer.pk, answer.channel)


@lru_cache(1000)  # asked for with every checkpoint, and dearer to make than to run
def _held_here(pk: int, channel: str) -> MessageQuerySet:
    return Message.objects.running().filter(pk=pk, holder=HOLDER, channel=channel)


def give_up(answer: Message) -> bool:
    """What its last checkpoint kept is there, and can go on; False if it has ended meanwhile."""
    rows = Message.objects.running().filter(pk=answer.pk, channel=answer.channel)
    done = rows.update(status=Status.INTERRUPTED, **OVER)
    _refresh(answer)
    return bool(done)


def _refresh(answer: Message) -> None:
    """Django would forget the conversation with it."""
    conversation = answer.conversation
    answer.refresh_from_db()
    answer.conversation = conversation


# Whose are they


def abandoned() -> list[Message]:
    """Those whose process has died: its lease has run out."""
    return [*_abandoned(Message.objects.running()).select_related("conversation")]


def give_up_abandoned(conversation: Conversation) -> bool:
    """Whether the conversation had an answer of a dead process; it has none any more."""
    return any(give_up(answer) for answer in _abandoned(conversation.messages.running()))


def _abandoned(running: MessageQuerySet) -> MessageQuerySet:
    others = running.exclude(holder=HOLDER)
    if not settings.REDIS_URL:  # there is no other process beside this one
        return others
    alive = Lease.objects.filter(expires_at__gt=timezone.now()).values("holder")
    return others.exclude(holder__in=alive)


def running_here() -> list[Message]:
    rows = Message.objects.running().filter(holder=HOLDER)
    return [*rows.select_related("conversation")]
