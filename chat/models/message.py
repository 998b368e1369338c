"""Messages: what was said, and how each answer came about."""

import uuid
from typing import Any, Self

from django.db import models
from django.db.models import Q

from .conversation import Conversation


class Role(models.TextChoices):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool", "Result of a function"


class Status(models.TextChoices):
    """Of an answer. What a person says is `complete` from the start."""

    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped", "Stopped by a person"
    INTERRUPTED = "interrupted", "Cut off when its process ended"
    FAILED = "failed"


class MessageQuerySet(models.QuerySet["Message"]):
    def owned_by(self, owner: str) -> Self:
        conversations = Conversation.objects.owned_by(owner)
        return self.filter(conversation__in=conversations)

    def running(self) -> Self:
        return self.filter(status=Status.RUNNING)


class Message(models.Model):
    """A node of a conversation's tree.

    While an answer is `running`, the process `holder` writes it and listens on `channel`;
    the row has its beginning, as of the last checkpoint.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="children"
    )
    role = models.CharField(max_length=10, choices=Role)
    text = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    call_id = models.CharField(max_length=100, blank=True, help_text="The call whose result it is.")

    # Of answers
    reasoning = models.TextField(blank=True, help_text="What the model thought before.")
    calls: "models.JSONField[list[dict[str, Any]], list[dict[str, Any]]]" = models.JSONField(
        default=list, blank=True, help_text="Functions that it calls; see `chat.reading.Written`."
    )
    logprobs: "models.JSONField[list[Any], list[Any]]" = models.JSONField(
        default=list, blank=True, help_text="How likely its tokens were, if a program asked."
    )
    model = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.COMPLETE)
    finish_reason = models.CharField(max_length=20, blank=True)
    error_code = models.CharField(max_length=50, blank=True)
    error = models.TextField(blank=True, help_text="Why it failed, for people.")
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    cached_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    first_token_seconds = models.FloatField(null=True, blank=True)
    decode_seconds = models.FloatField(null=True, blank=True)
    context_length = models.PositiveIntegerField(null=True, blank=True)
    unseen: "models.JSONField[list[str], list[str]]" = models.JSONField(
        default=list, blank=True, help_text="Messages before it that the model did not see."
    )
    holder = models.UUIDField(null=True, blank=True)
    channel = models.CharField(max_length=200, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                name="one_running_answer", fields=["conversation"], condition=Q(status="running")
            )
        ]
        indexes = [
            models.Index(fields=["holder"], name="running_answers", condition=Q(status="running"))
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.uid}"

    @property
    def is_running(self) -> bool:
        return self.status == Status.RUNNING

    @property
    def can_continue(self) -> bool:
        """Whether the model may write on: its answer was cut off, for whatever reason."""
        was_cut = self.status in (Status.STOPPED, Status.INTERRUPTED, Status.FAILED)
        is_text = self.role == Role.ASSISTANT and not self.calls
        return is_text and (was_cut or self.finish_reason == "length")

    @property
    def has_begun(self) -> bool:
        """Whether there is anything that a model could read of it."""
        return bool(self.text or self.calls) or self.status == Status.COMPLETE

    @property
    def tokens_per_second(self) -> float | None:
        """Of the decode, without the first token, which the prefill brings."""
        if not self.decode_seconds or not self.completion_tokens or self.completion_tokens < 2:
            return None
        return (self.completion_tokens - 1) / self.decode_seconds
