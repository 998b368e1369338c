"""What of conversations is forgotten, day by day. What they cost stays in the ledger."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from .models import Attachment, Conversation

UNSENT_KEPT = timedelta(days=1)
AT_ONCE = 100  # conversations in memory while they are deleted


def forget_old(now: datetime) -> dict[str, int]:
    """Delete what people have deleted, after its retention, and what was never sent.

    Returns how many rows of each kind were deleted.
    """
    deleted = now - timedelta(days=settings.CONFIG.retention.deleted_chat_days)
    unsent = Attachment.objects.filter(message=None, created_at__lt=now - UNSENT_KEPT)
    return {
        "deleted conversations": _delete(Q(deleted_at__lt=deleted)),
        "expired sessions": _delete(Q(expires_at__lte=now)),
        "unsent attachments": unsent.delete()[0],
    }


def _delete(which: Q) -> int:
    """Conversations, with all that is in them; some at a time, so that nobody waits long."""
    count = 0
    while keys := [*Conversation.objects.filter(which).values_list("pk", flat=True)[:AT_ONCE]]:
        Conversation.objects.filter(which, pk__in=keys).delete()  # one may be back by now
        count += len(keys)
    return count
