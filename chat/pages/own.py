"""What of the chat is a person's own: of somebody else's there is no page."""

from uuid import UUID

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from accounts.callers import caller_of
from accounts.pages.person import person
from chat.models import Conversation, Message


def owner_of(request: HttpRequest) -> str:
    return caller_of(person(request)).owner


def own_conversation(request: HttpRequest, uid: UUID) -> Conversation:
    """
    Raises:
        Http404: there is none, or it is somebody else's, or it was deleted.
    """
    own = Conversation.objects.owned_by(owner_of(request)).chats()
    return get_object_or_404(own, uid=uid)


def own_message(request: HttpRequest, uid: UUID) -> Message:
    """Raises as `own_conversation` does."""
    chats = Conversation.objects.owned_by(owner_of(request)).chats()
    own = Message.objects.filter(conversation__in=chats).select_related("conversation")
    return get_object_or_404(own, uid=uid)


def uid_or_404(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
