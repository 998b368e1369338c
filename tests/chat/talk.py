"""Conversations for tests: people who have said something, and models that answered."""

from datetime import datetime

from asgiref.sync import async_to_sync
from django.utils import timezone

from accounts.models import User
from chat.models import Attachment, Conversation, Message, Role


def person(name: str) -> User:
    return User.objects.create_user(name, f"{name}@example.org", "a-long-password")


def owner(user: User) -> str:
    return f"user:{user.pk}"


def conversation(
    user: User, title: str = "", said: tuple[str, ...] = (), **columns
) -> Conversation:
    """Questions and answers in turn; `head` is the last."""
    made = Conversation.objects.create(owner=owner(user), user=user, title=title, **columns)
    last = None
    for number, text in enumerate(said):
        role = Role.ASSISTANT if number % 2 else Role.USER
        last = message(made, text, last, role)
    made.head = last
    made.save(update_fields=["head"])
    return made


def message(made: Conversation, text: str, parent=None, role=Role.USER, **columns) -> Message:
    return Message.objects.create(conversation=made, parent=parent, role=role, text=text, **columns)


def attached(user: User, to: Message | None = None, at: datetime | None = None, **columns):
    usual = {"name": "notes.txt", "media_type": "text/plain", "size_bytes": 9, "text": "Nine char"}
    file = Attachment.objects.create(user=user, message=to, **{**usual, **columns})
    Attachment.objects.filter(pk=file.pk).update(created_at=at or timezone.now())
    return file


def downloaded(response) -> str:
    """The whole of what a page streams."""

    async def collect():
        return b"".join([piece async for piece in response.streaming_content])

    return async_to_sync(collect)().decode()
