"""Files that people give the model to read."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models

from .message import Message

CHARACTERS_A_TOKEN = 4  # of English; where no model has counted yet


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def owned_by(self, user: object) -> Self:
        return self.filter(user=user)

    def unsent(self) -> Self:
        return self.filter(message=None)

    def shown(self) -> Self:
        """Without those of deleted conversations."""
        return self.filter(message__conversation__deleted_at=None)


class Attachment(models.Model):
    """The text of a file; it belongs to a message once that was sent."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="attachments")
    message = models.ForeignKey(
        Message, models.CASCADE, null=True, blank=True, related_name="attachments"
    )
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    size_bytes = models.PositiveIntegerField(help_text="Of the file that was uploaded.")
    text = models.TextField()
    num_tokens = models.PositiveIntegerField(
        null=True, blank=True, help_text="Of the text, for the model it was last counted with."
    )
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_estimate(self) -> bool:
        """Whether `cost` is one, since no model has counted yet."""
        return self.num_tokens is None

    @property
    def cost(self) -> int:
        """Tokens of the model's context."""
        return estimated_tokens(self.text) if self.num_tokens is None else self.num_tokens


def estimated_tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_A_TOKEN)
