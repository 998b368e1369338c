"""Attachments in the database, from the upload to the message they are sent with."""

from django.conf import settings

from accounts.callers import policy_of
from accounts.models import User
from accounts.pages.own_keys import alone
from chat.models import Attachment

from .errors import FileTooLarge, StorageFull, TooManyUnsent
from .reading import Reading


def check(user: User, name: str, size: int) -> None:
    """What can be refused before the file is read.

    Raises:
        AttachmentRefused: it is too large, or the person holds or stores too much.
    """
    most = max_bytes(user)
    if size > most:
        raise FileTooLarge(name=name, size=size, most=most)
    check_room(user, name)
    check_storage(user, name, 1)


def max_bytes(user: User) -> int:
    """Of a file. A larger one would not fit into a request anyhow, or passes the person's rule."""
    limits = settings.CONFIG.limits
    most = int(min(limits.max_attachment_mb, limits.max_body_mb) * 2**20)
    rule = policy_of(user).smallest("max_body_kb")
    return min(most, rule.value * 2**10) if rule else most


def check_room(user: User, name: str) -> None:
    most = settings.CONFIG.limits.max_unsent_attachments
    if Attachment.objects.owned_by(user).unsent().count() >= most:
        raise TooManyUnsent(name=name, most=most)


def room_for(user: User) -> int:
    """Characters that the person may still store; those in deleted conversations count, too."""
    most = settings.CONFIG.limits.max_stored_attachment_characters
    return max(0, most - Attachment.objects.owned_by(user).num_characters())


def check_storage(user: User, name: str, num_characters: int) -> None:
    if num_characters > room_for(user):
        raise StorageFull(name=name, most=settings.CONFIG.limits.max_stored_attachment_characters)


def add(
    user: User, name: str, size_bytes: int, reading: Reading, num_tokens: int | None
) -> Attachment:
    """Keep the text; the file itself is not kept.

    Raises:
        StorageFull: the person stores as much as they may.
        TooManyUnsent: others were added meanwhile.
    """
    with alone(user):
        check_room(user, name)
        check_storage(user, name, len(reading.text))
        return Attachment.objects.create(
            user=user,
            name=name,
            media_type=reading.media_type,
            size_bytes=size_bytes,
            text=reading.text,
            num_tokens=num_tokens,
        )
