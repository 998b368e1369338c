"""Turns of conversations that programs ask for, in the database.

A response is an answer, whoever has asked for it: one on a page can be gone on from over
the API, and the other way round. What is said after an answer that has been gone on from
already is a branch.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.callers import Caller

from . import turns
from .errors import ConversationBusy
from .models import Conversation, Message, Role, StoredResponse
from .models.message import MessageQuerySet
from .running import give_up_abandoned
from .stopping import tell_stop
from .turns import Turn, first_title


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversation goes on; nowhere yet, if it is to begin.

    `system_prompt` is what holds there, unless the request has instructions.
    """

    conversation: Conversation | None = None
    previous: Message | None = None
    system_prompt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is said, as rows that are not stored, and how its answer is asked for."""

    rows: Sequence[Message]
    model: str
    instructions: str | None = None
    repeated: dict[str, Any] = field(default_factory=dict)
    is_background: bool = False


def answers_of(owner: str) -> MessageQuerySet:
    """That caller's responses."""
    mine = Conversation.objects.owned_by(owner).chats()
    rows = Message.objects.filter(conversation__in=mine, role=Role.ASSISTANT)
    rows = rows.exclude(response__deleted_at__isnull=False)
    return rows.select_related("conversation", "parent__parent", "response__previous")


def find_answer(uid: UUID | None, owner: str) -> Message | None:
    return answers_of(owner).filter(uid=uid).first() if uid else None


def place_after(answer: Message) -> Place:
    """Instructions hold for one response; a system prompt that people have set stays."""
    conversation = answer.conversation
    is_of_api = StoredResponse.objects.filter(answer=answer).exists()
    return Place(conversation, answer, "" if is_of_api else conversation.system_prompt)


def place_in(uid: UUID | None, owner: str) -> Place | None:
    """At the end of the conversation's branch that is shown."""
    mine = Conversation.objects.owned_by(owner).chats().select_related("head")
    found = mine.filter(uid=uid).first() if uid else None
    return Place(found, found.head, found.system_prompt) if found else None


@transaction.atomic
def say(request: Request, place: Place, caller: Caller, channel: str) -> Turn:
    """Store what is said, and begin the answer; `channel` is where its writer listens.

    Raises:
        ConversationBusy: another answer is being written.
    """
    conversation, previous = _conversation(request, place, caller), place.previous
    if previous and previous.is_running and not give_up_abandoned(conversation):
        raise ConversationBusy
    parent = previous
    for row in request.rows:
        row.conversation, row.parent = conversation, parent
        row.save(force_insert=True)
        parent = row
    assert parent is not None
    turn = turns.begin_after(parent, request.model, channel)
    StoredResponse.objects.create(
        answer=turn.answer,
        previous=previous,
        request=request.repeated,
        is_background=request.is_background,
    )
    return replace(turn, before=place.conversation)


def _conversation(request: Request, place: Place, caller: Caller) -> Conversation:
    """What the request says holds from now on, also for who goes on from it on a page."""
    said = {"model": request.model}
    if request.instructions is not None:
        said["system_prompt"] = request.instructions
    if place.conversation is None:
        title = first_title(next((r.text for r in request.rows if r.role == Role.USER), ""))
        whose = {"owner": caller.owner, "user": caller.user}
        return Conversation.objects.create(**whose, title=title, **said)
    conversation = copy(place.conversation)  # which is needed as it was, if this is taken back
    for name, value in said.items():
        setattr(conversation, name, value)
    conversation.save(update_fields=[*said])
    return conversation


@transaction.atomic
def take_back(turn: Turn, place: Place) -> None:
    """The request was refused: the conversation is as it was, or is not there."""
    head = place.conversation and place.conversation.head_id
    shown = Message.objects.filter(pk=head).first() if head else None
    conversation = Conversation.objects.filter(pk=turn.conversation.pk)
    conversation.filter(head=turn.answer).update(head=shown or place.previous)
    turns.put_back(turn)
    _prune(turn.answer, place.previous)


@transaction.atomic
def delete(answer: Message, now: datetime) -> None:
    """With what was said for it. If something follows it, it stays for that, and is only
    found no more.
    """
    if answer.is_running:
        transaction.on_commit(partial(tell_stop, answer.channel), robust=True)
    if answer.children.exists():
        found = {"deleted_at": now}
        StoredResponse.objects.update_or_create(answer=answer, defaults=found)
        return
    stored = StoredResponse.objects.select_related("previous").filter(answer=answer).first()
    previous = stored.previous if stored else answer.parent and answer.parent.parent
    conversation = Conversation.objects.filter(pk=answer.conversation_id)
    conversation.filter(head=answer).update(head=previous)
    _prune(answer, previous)


def _prune(answer: Message, previous: Message | None) -> None:
    """Delete the rows from there back to `previous`, as far as nothing else follows them."""
    row: Message | None = answer
    while row and row != previous and not row.children.exists():
        parent = row.parent
        for attachment in row.attachments.all():
            attachment.hand_over()
        row.delete()
        row = parent
    left = Conversation.objects.filter(pk=answer.conversation_id, messages=None).first()
    if left:
        left.delete()
