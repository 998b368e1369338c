"""Conversations, and the folders that people keep them in."""

import uuid
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

MAX_TITLE = 200
MAX_FOLDERS = 500  # of a person


class Folder(models.Model):
    """A person's own, by name."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="folders")
    name = models.CharField(max_length=100)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(name="one_folder", fields=["user", "name"])]

    def __str__(self) -> str:
        return self.name

    @property
    def place_name(self) -> str:
        return f"folder-{self.pk}"


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def owned_by(self, owner: str) -> Self:
        """Of that caller (`Caller.owner`), and not deleted: everybody else gets a 404."""
        return self.filter(owner=owner, deleted_at=None).exclude(expires_at__lte=timezone.now())

    def deleted_by(self, owner: str) -> Self:
        """What that caller has deleted and can still have back."""
        return self.filter(owner=owner, deleted_at__isnull=False)

    def chats(self) -> Self:
        """Without the older dialect's sessions, which end by themselves."""
        return self.filter(session_id="")

    def sessions(self) -> Self:
        return self.exclude(session_id="")


class Conversation(models.Model):
    """A tree of messages, and how its next answer is made.

    Nothing in it is overwritten: an edited message and another answer are branches.
    `head` is the last message of the branch that is shown.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.CharField(max_length=150, help_text="The caller whose it is.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="conversations"
    )
    session_id = models.CharField(max_length=200, blank=True, help_text="In the older dialect.")
    expires_at = models.DateTimeField(null=True, blank=True, db_index=True)

    title = models.CharField(max_length=MAX_TITLE, blank=True)
    is_title_given = models.BooleanField(default=False, help_text="By a person: it stays.")
    model = models.CharField(max_length=200, blank=True, help_text="Id or alias of the model.")
    system_prompt = models.TextField(blank=True)
    parameters: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(
        default=dict, blank=True
    )
    head = models.ForeignKey(
        "chat.Message", models.SET_NULL, null=True, blank=True, related_name="+"
    )

    folder = models.ForeignKey(
        Folder, models.SET_NULL, null=True, blank=True, related_name="conversations"
    )
    is_pinned = models.BooleanField(default=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(default=timezone.now, help_text="When it last grew.")

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ["-is_pinned", "-updated_at", "-pk"]
        indexes = [models.Index(fields=["owner", "-updated_at"])]
        constraints = [
            models.UniqueConstraint(
                name="one_session",
                fields=["owner", "session_id"],
                condition=~Q(session_id="") & Q(deleted_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"conversation {self.uid}"  # in logs and the administration: no word of it

    def get_absolute_url(self) -> str:
        return reverse("conversation", args=[self.uid])

    @property
    def shown_title(self) -> str:
        return self.title or gettext("New conversation")

    def entitle(self, title: str) -> None:
        """By a person: it stays, whatever the model would call it."""
        self.title, self.is_title_given = title, True
        self.save(update_fields=["title", "is_title_given"])

    def delete_softly(self, now: datetime) -> None:
        """Out of sight; `restore` brings it back until its retention has passed."""
        self.deleted_at = now
        self.save(update_fields=["deleted_at"])

    def restore(self) -> None:
        self.deleted_at = None
        self.save(update_fields=["deleted_at"])
