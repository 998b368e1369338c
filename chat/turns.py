"""Turns of a conversation in the database: how they begin, and go on."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.accounting import HOLDER
from inference.runtime import InvalidParameter

from .errors import ConversationBusy, MessageNotFound
from .models import Attachment, Conversation, Message, Role, Status
from .models.conversation import MAX_TITLE
from .running import give_up_abandoned


@dataclass(frozen=True, slots=True)
class Turn:
    """An answer that is to be computed, and what it answers.

    `before` is the conversation as it was, where the turn is taken back if it is refused.
    """

    conversation: Conversation
    question: Message
    answer: Message
    before: Conversation | None = None


@transaction.atomic
def say(
    conversation: Conversation,
    parent: Message | None,
    text: str,
    attachments: Sequence[uuid.UUID],
    channel: str,
    uid: uuid.UUID | None = None,
) -> Turn:
    """Add what a person says, and begin the answer; `channel` is where its writer listens.

    Raises:
        ConversationBusy: another answer is being written.
        InvalidParameter: these are more attachments than a message may have, or there is a
            message with that `uid`.
        MessageNotFound: an attachment is not this person's, or was sent before.
    """
    if parent and parent.is_running and not give_up_abandoned(conversation):
        raise ConversationBusy(conversation.pk)
    question = Message(
        uid=uid or uuid.uuid4(), conversation=conversation, parent=parent, role=Role.USER, text=text
    )
    if not _is_saved(question):
        raise InvalidParameter("question", question.uid, "is the id of another message")
    _attach(question, attachments)
    if conversation.title:
        return begin_after(question, conversation.model, channel)
    conversation.title = first_title(text)
    return begin_after(question, conversation.model, channel, changed=["title"])


@transaction.atomic
def edit(
    message: Message,
    text: str,
    attachments: Sequence[uuid.UUID] | None,
    channel: str,
    uid: uuid.UUID | None = None,
) -> Turn:
    """Say something else in that message's place. Raises as `say` does."""
    if message.role != Role.USER:
        raise MessageNotFound(message.uid)
    kept = [] if attachments is not None else [*message.attachments.all()]
    turn = say(message.conversation, message.parent, text, attachments or [], channel, uid)
    for attachment in kept:
        attachment.copy_for(turn.question).save()
    return turn


@transaction.atomic
def again(message: Message, model: str, channel: str) -> Turn:
    """Another answer: beside that one, or to that message of a person.

    Raises:
        ConversationBusy: another answer is being written.
        MessageNotFound: there is nothing that it would answer.
    """
    question = message.parent if message.role == Role.ASSISTANT else message
    if question is None or question.role not in (Role.USER, Role.TOOL):
        raise MessageNotFound(message.uid)
    return begin_after(question, model or message.model or message.conversation.model, channel)


@transaction.atomic
def write_on(answer: Message, channel: str) -> Turn:
    """Go on with an answer that was cut off. Raises as `again` does."""
    # As it is now: somebody else may let it go on at the same time.
    rows = Message.objects.select_for_update(of=("self",))
    answer = rows.select_related("conversation", "parent").get(pk=answer.pk)
    if answer.is_running:
        raise ConversationBusy(answer.conversation_id)
    if not answer.can_continue or answer.parent is None:
        raise MessageNotFound(answer.uid)
    for name, value in {**AS_NEW, "holder": HOLDER, "channel": channel}.items():
        setattr(answer, name, value)
    _save_as_only_one(answer)
    return Turn(_grown(answer), answer.parent, answer)


AS_NEW: dict[str, Any] = {
    "status": Status.RUNNING,
    **dict.fromkeys(("error", "error_code", "finish_reason"), ""),
    **dict.fromkeys(("prompt_tokens", "cached_tokens", "completion_tokens")),
    **dict.fromkeys(("first_token_seconds", "decode_seconds")),
    "unseen": [],
}


@transaction.atomic
def begin_after(
    question: Message, model: str, channel: str, *, changed: Sequence[str] = ()
) -> Turn:
    """Begin the answer to what was said last, or to what a function returned. What has been
    `changed` of the conversation is written down with it.

    Raises:
        ConversationBusy: another answer is being written.
    """
    answer = Message(
        conversation=question.conversation,
        parent=question,
        role=Role.ASSISTANT,
        model=model,
        status=Status.RUNNING,
        holder=HOLDER,
        channel=channel,
    )
    _save_as_only_one(answer)
    return Turn(_grown(answer, changed), question, answer)


CHANGED = ("model", "system_prompt", "parameters", "updated_at")


def put_back(turn: Turn) -> None:
    """How the conversation goes on is as it was before; what somebody has changed since stays."""
    rows = Conversation.objects.filter(pk=turn.conversation.pk)
    for name in CHANGED if turn.before else ():
        said, before = getattr(turn.conversation, name), getattr(turn.before, name)
        if said != before:
            rows.filter(**{name: said}).update(**{name: before})


def _save_as_only_one(answer: Message) -> None:
    """Beside one of a process that has died there may be another."""
    if not _is_saved(answer) and not (give_up_abandoned(answer.conversation) and _is_saved(answer)):
        raise ConversationBusy(answer.conversation_id)


def _is_saved(message: Message) -> bool:
    try:
        with transaction.atomic():
            message.save()
    except IntegrityError:
        return False
    return True


def _grown(answer: Message, changed: Sequence[str] = ()) -> Conversation:
    conversation = answer.conversation
    conversation.head, conversation.updated_at = answer, timezone.now()
    conversation.save(update_fields=["head", "updated_at", *changed])
    return conversation


def _attach(question: Message, uids: Sequence[uuid.UUID]) -> None:
    most = settings.CONFIG.limits.max_attachments
    if len(uids) > most:
        raise InvalidParameter("attachments", len(uids), f"are more files than {most}")
    mine = Attachment.objects.filter(user=question.conversation.user_id, message=None)
    for uid in uids:
        if not mine.filter(uid=uid).update(message=question):
            raise MessageNotFound(uid, "attachments")


def first_title(text: str) -> str:
    """Until the model has found one: how the first message begins."""
    line = next(filter(None, map(str.strip, text.splitlines())), "")
    return line if len(line) <= 60 else line[:60].rsplit(" ", 1)[0][: MAX_TITLE - 1] + "…"
