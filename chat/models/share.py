"""Links under which anybody may read a conversation."""

import secrets

from django.db import models
from django.utils.translation import gettext

from .conversation import MAX_TITLE, Conversation
from .message import Message


def make_token() -> str:
    return secrets.token_urlsafe(24)  # 192 bits: nobody guesses one


class Share(models.Model):
    """A branch as it was when it was shared; what is said later is not shown."""

    token = models.CharField(max_length=64, unique=True, default=make_token, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="shares")
    title = models.CharField(max_length=MAX_TITLE, blank=True, help_text="As it was then.")
    last = models.ForeignKey(Message, models.CASCADE, related_name="+")
    lengths: "models.JSONField[list[int], list[int]]" = models.JSONField(
        default=list, help_text="Of the branch's texts then: an answer may be continued."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"share of {self.conversation}"

    @property
    def shown_title(self) -> str:
        return self.title or gettext("New conversation")
