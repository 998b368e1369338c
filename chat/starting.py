"""From a frame that asks for an answer to the turn that it begins."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import transaction

from accounts.callers import Caller
from inference import admission, runtime
from inference.runtime import InvalidParameter

from . import turns
from .errors import ConversationNotFound, MessageNotFound
from .frames import Continue, Edit, Regenerate, Send
from .models import Conversation, Message, Role
from .parameters import sampling
from .turns import Turn

MAX_SYSTEM_PROMPT = 100_000
MAX_TEXT = 2_000_000  # characters; what a model can read is less, and is refused at admission
Asking = Send | Edit | Regenerate | Continue


async def start(frame: Asking, caller: Caller, channel: str) -> Turn:
    """Store the turn.

    Raises:
        EngineError: a field cannot be used, or names what there is not.
        Refusal: the caller may not use the model.
    """
    if isinstance(frame, Send | Edit):
        _check_text("text", frame.text)
    if isinstance(frame, Send):
        _check_text("system_prompt", frame.system_prompt or "", MAX_SYSTEM_PROMPT)
    model = getattr(frame, "model", None)
    if model:
        await admission.allowed_model(caller, model)
    return await database_sync_to_async(_started)(frame, caller, channel)


def _check_text(name: str, text: str, most: int = MAX_TEXT) -> None:
    if "\0" in text:
        raise InvalidParameter(name, text, "has a NUL character")
    if len(text) > most:
        raise InvalidParameter(name, text, f"has more than {most} characters")


def _check_not_empty(text: str, num_attachments: int) -> None:
    if not text.strip() and not num_attachments:
        raise InvalidParameter("text", text, "is empty")


@transaction.atomic
def _started(frame: Asking, caller: Caller, channel: str) -> Turn:
    match frame:
        case Send():
            _check_not_empty(frame.text, len(frame.attachments))
            conversation = _conversation(frame, caller)
            parent = _parent(frame, conversation, caller)
            return turns.say(
                conversation, parent, frame.text, frame.attachments, channel, frame.question
            )
        case Edit():
            message = owned_message(frame.message, caller)
            kept = frame.attachments is None and message.attachments.count()
            _check_not_empty(frame.text, kept or len(frame.attachments or ()))
            _go_on_with(message.conversation, _said(frame, "model"))
            return turns.edit(message, frame.text, frame.attachments, channel, frame.question)
        case Regenerate():
            message = owned_message(frame.message, caller)
            return turns.again(message, frame.model or "", channel)
        case Continue():
            return turns.write_on(owned_message(frame.message, caller), channel)


def said_before(frame: Asking, caller: Caller) -> Turn | None:
    """The turn of a question that is sent once more, as by a client whose network has failed."""
    if not isinstance(frame, Send | Edit) or frame.question is None:
        return None
    mine = Message.objects.owned_by(caller.owner).select_related("conversation")
    question = mine.filter(uid=frame.question, role=Role.USER, text=frame.text).first()
    answer = question and question.children.select_related("conversation").first()
    return Turn(question.conversation, question, answer) if question and answer else None


def owned_conversation(uid: UUID, caller: Caller) -> Conversation:
    """
    Raises:
        ConversationNotFound: there is none, or it is somebody else's.
    """
    conversation = Conversation.objects.owned_by(caller.owner).filter(uid=uid).first()
    if conversation is None:
        raise ConversationNotFound(uid)
    return conversation


def owned_message(uid: UUID, caller: Caller) -> Message:
    """
    Raises:
        MessageNotFound: there is none, or it is somebody else's.
    """
    owned = Message.objects.owned_by(caller.owner).select_related("conversation", "parent")
    message = owned.filter(uid=uid).first()
    if message is None:
        raise MessageNotFound(uid)
    return message


def _conversation(frame: Send, caller: Caller) -> Conversation:
    """The one that is meant, or a new one, with what the frame says of how it goes on."""
    said = _said(frame, "model", "system_prompt", "parameters")
    sampling(said.get("parameters", {}))
    if frame.conversation is None:
        said.setdefault("model", default_model(caller))
        return Conversation.objects.create(owner=caller.owner, user=caller.user, **said)
    conversation = owned_conversation(frame.conversation, caller)
    _go_on_with(conversation, said)
    return conversation


def _said(frame: Send | Edit, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(frame, name)) is not None}


def _go_on_with(conversation: Conversation, said: Mapping[str, Any]) -> None:
    for name, value in said.items():
        setattr(conversation, name, value)
    if said:
        conversation.save(update_fields=[*said])


def _parent(frame: Send, conversation: Conversation, caller: Caller) -> Message | None:
    if frame.parent is None:
        return conversation.head
    parent = owned_message(frame.parent, caller)
    if parent.conversation_id != conversation.pk:
        raise MessageNotFound(frame.parent, "parent")
    return parent


def default_model(caller: Caller) -> str:
    """The first that is loaded of those that the caller may use, else the first.

    Raises:
        ModelNotFound: there is none.
    """
    offers = [o for o in runtime.catalogue() if caller.policy.allows_model(o.slug)]
    if not offers:
        raise runtime.ModelNotFound("", "cannot be chosen: there is none that you may use")
    return min(offers, key=lambda offer: offer.state != "ready").slug
