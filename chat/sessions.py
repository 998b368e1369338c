"""The older dialect's sessions: conversations that callers name, and that end by themselves."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.callers import Caller
from accounts.errors import LimitReached
from accounts.sizes import SERVER
from inference.runtime import InvalidParameter

from . import turns
from .branch import messages_up_to
from .errors import ConversationBusy, ConversationNotFound
from .models import Conversation, Message, Role, Status
from .prompt import prompt_of
from .running import give_up_abandoned
from .turns import Turn


@dataclass(frozen=True, slots=True)
class Question:
    """What is said in a session, and how it is to be answered.

    Without a `system_prompt` a session keeps its own; one that begins takes the default.
    """

    session_id: str
    text: str
    model: str
    parameters: Mapping[str, Any]
    default_system_prompt: str
    system_prompt: str | None = None


def ids_of(owner: str) -> list[str]:
    """Of that caller's sessions, the one that was used last first."""
    return [*_of(owner).order_by("-expires_at").values_list("session_id", flat=True)]


@transaction.atomic
def history(session_id: str, owner: str) -> list[dict[str, Any]]:
    """What the model has read and said, as it would read it now.

    Raises:
        ConversationNotFound: there is none, it has expired, or is somebody else's.
    """
    session = _used(session_id, owner)
    return prompt_of(session.system_prompt, _shown(session)).messages


@transaction.atomic
def roll_back(session_id: str, owner: str, amount: int) -> None:
    """Take back the last turns, or all if there are fewer; in the tree they stay.

    Raises:
        ConversationNotFound: see `history`.
        ConversationBusy: an answer is being written.
    """
    session = _used(session_id, owner)
    shown = _shown(session)
    if shown and shown[-1].is_running:
        raise ConversationBusy(session.pk)
    taken_back = [row for row in shown if row.role == Role.USER][-amount:]
    session.head_id = taken_back[0].parent_id if taken_back else None
    session.save(update_fields=["head"])


@transaction.atomic
def delete(session_id: str, owner: str) -> None:
    """Delete the session, with all branches.

    Raises:
        ConversationNotFound: see `history`.
    """
    _used(session_id, owner).delete()


@transaction.atomic
def say(question: Question, caller: Caller, channel: str) -> Turn:
    """Store what is said, in a new session if there is none of that id, and begin the answer.

    Raises:
        ConversationBusy: another answer is being written.
        InvalidParameter: a text that cannot be stored.
        LimitReached: as many sessions as there may be are all being answered.
    """
    _check("prompt", question.text)
    _check("system-prompt", question.system_prompt or "")
    session, before = _begun(question, caller)
    turn = turns.say(session, _last(session), question.text, [], channel)
    return replace(turn, before=before)


@transaction.atomic
def take_back(turn: Turn) -> None:
    """The request was refused: the session is as it was, or is not there."""
    session, parent = turn.conversation, turn.question.parent_id
    Conversation.objects.filter(pk=session.pk, head=turn.answer).update(head=parent)
    turns.put_back(turn)
    turn.question.delete()
    if not session.messages.exists():
        session.delete()


def _of(owner: str) -> QuerySet[Conversation]:
    return Conversation.objects.owned_by(owner).sessions()


def _used(session_id: str, owner: str) -> Conversation:
    """That session, which now ends later."""
    found = _of(owner).select_for_update()
    # PostgreSQL refuses to look for a NUL.
    session = None if "\0" in session_id else found.filter(session_id=session_id).first()
    if session is None:
        raise ConversationNotFound(session_id, "session-id")
    session.expires_at = _end()
    session.save(update_fields=["expires_at"])
    return session


def _begun(question: Question, caller: Caller) -> tuple[Conversation, Conversation]:
    """The session, and as it was before the question."""
    expired = Conversation.objects.filter(owner=caller.owner, expires_at__lte=timezone.now())
    expired.delete()  # its id is free again
    given = question.system_prompt
    said = {
        "model": question.model,
        "parameters": {**question.parameters},
        "expires_at": _end(),
        **({} if given is None else {"system_prompt": given}),
    }
    session, is_new = Conversation.objects.select_for_update().get_or_create(
        owner=caller.owner,
        session_id=question.session_id,
        deleted_at=None,
        defaults={"user": caller.user, "system_prompt": question.default_system_prompt, **said},
    )
    before = copy(session)
    if is_new:
        _refuse_if_full(session)
        return session, before
    for name, value in said.items():
        setattr(session, name, value)
    session.save(update_fields=[*said])
    return session, before


def _end() -> datetime:
    return timezone.now() + timedelta(seconds=settings.CONFIG.limits.session_ttl_seconds)


@transaction.atomic
def make_room(session: Conversation) -> None:
    """The session stays: those of the same caller that have been idle for longest give way."""
    surplus, idle = _surplus(session)
    keys = [*idle.values_list("pk", flat=True)[: max(0, surplus)]]
    Conversation.objects.filter(pk__in=keys).delete()


def _surplus(session: Conversation) -> tuple[int, QuerySet[Conversation]]:
    """How many are too many, and those that may go."""
    mine = _of(session.owner)
    busy = Message.objects.running().values("conversation")
    idle = mine.exclude(pk=session.pk).exclude(pk__in=busy).order_by("expires_at")
    return mine.count() - settings.CONFIG.limits.max_sessions, idle


def _refuse_if_full(session: Conversation) -> None:
    surplus, idle = _surplus(session)
    if surplus > idle.count():
        most = settings.CONFIG.limits.max_sessions
        raise LimitReached(
            f"{most} sessions are the limit (rule limits.max_sessions of {SERVER}),"
            " and all are being answered.",
            rule="limits.max_sessions",
            level=SERVER,
            limit=most,
            resets_at=None,
        )


def _check(param: str, text: str) -> None:
    if "\0" in text:
        raise InvalidParameter(param, text, "has a NUL character")


def _shown(session: Conversation) -> list[Message]:
    last = _last(session)
    return messages_up_to(last) if last else []


def _last(session: Conversation) -> Message | None:
    """Where the session goes on. A turn that failed before its first word has not been."""
    head = session.head
    if head and head.is_running and give_up_abandoned(session):
        head.refresh_from_db()
    if head and not (head.text or head.status in (Status.COMPLETE, Status.RUNNING)):
        return head.parent and head.parent.parent
    return head
