"""Files that people give the model to read."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Sum
from django.db.models.functions import Length

from .message import Message

CHARACTERS_A_TOKEN = 4  # of English; where no model has counted yet


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def owned_by(self, user: object) -> Self:
        return self.filter(user=user)

    def unsent(self) -> Self:
        return self.filter(message=None)

    def num_characters(self) -> int:
        """What is stored of all of them."""
        total: int | None = self.aggregate(total=Sum("num_characters"))["total"]
        return total or 0

    def shown(self) -> Self:
        """Without those of deleted conversations."""
        return self.filter(message__conversation__deleted_at=None)


class Attachment(models.Model):
    """The text of a file; it belongs to a message once that was sent.

    A message that was edited has the files of the one in whose place it stands: their
    text is stored once, as that of their `source`; where that goes before its conversation
    does, it hands the text over.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="attachments",
        db_index=False,  # `stored_characters` begins with it
    )
    message = models.ForeignKey(
        Message, models.CASCADE, null=True, blank=True, related_name="attachments"
    )
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    size_bytes = models.PositiveIntegerField(help_text="Of the file that was uploaded.")
    text = models.TextField(blank=True, help_text="Empty if it is that of `source`.")
    num_characters = models.GeneratedField(
        expression=Length("text"), output_field=models.PositiveIntegerField(), db_persist=True
    )
    source = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="copies")
    num_tokens = models.PositiveIntegerField(
        null=True, blank=True, help_text="Of the text, for the model it was last counted with."
    )
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        # What a person stores is summed up without a look at the texts.
        indexes = [models.Index(fields=["user", "num_characters"], name="stored_characters")]

    def __str__(self) -> str:
        return self.name

    @property
    def content(self) -> str:
        """The text, wherever it is stored."""
        return self.source.text if self.source else self.text

    def copy_for(self, message: Message) -> "Attachment":
        """The same file in another message of the same conversation; not saved yet."""
        return Attachment(
            user_id=self.user_id,
            message=message,
            name=self.name,
            media_type=self.media_type,
            size_bytes=self.size_bytes,
            num_tokens=self.num_tokens,
            source_id=self.source_id or self.pk,
        )

    def hand_over(self) -> None:
        """It goes, and its message alone: the first of its copies has the text from now on."""
        heir = self.copies.first()
        if heir is None:
            return
        heir.text, heir.source = self.text, None
        heir.save(update_fields=["text", "source"])
        self.copies.update(source=heir)

    @property
    def is_estimate(self) -> bool:
        """Whether `cost` is one, since no model has counted yet."""
        return self.num_tokens is None

    @property
    def cost(self) -> int:
        """Tokens of the model's context."""
        return estimated_tokens(self.content) if self.num_tokens is None else self.num_tokens


def estimated_tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_A_TOKEN)
