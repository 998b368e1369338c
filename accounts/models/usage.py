"""What was asked for and what it cost, without a word of it."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q, Sum

from .key import ApiKey

RUNNING = "running"
LOST = "lost"
ANSWERED = ("stop", "length")
TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens")
NO_FAILURES = (RUNNING, *ANSWERED, "cancelled")


class UsageQuerySet(models.QuerySet["UsageRecord"]):
    def of_subject(self, subject: str) -> Self:
        """Of `user:7`, `group:3` or a key and all before it; of another caller by its name."""
        kind, _, id = subject.partition(":")
        match kind:
            case "key":
                return self.filter(key__lineage=id)
            case "user":
                return self.filter(user_id=int(id))
            case "group":
                return self.filter(user__groups=int(id))
        return self.filter(owner=subject)

    def between(self, start: datetime, end: datetime) -> Self:
        return self.filter(at__gte=start, at__lt=end)

    def num_tokens(self) -> int:
        """Tokens of prompts and answers; of requests that run, none yet."""
        sums = self.aggregate(p=Sum("prompt_tokens"), c=Sum("completion_tokens"))
        return (sums["p"] or 0) + (sums["c"] or 0)


class UsageRecord(models.Model):
    """One request, from its admission on. Names stay when person, key or model go.

    While `status` is `running`, the request holds `reserved` tokens in the windows
    that `claims` names.
    """

    uid = models.UUIDField(unique=True)
    at = models.DateTimeField(db_index=True, help_text="When it was admitted.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="usage"
    )
    key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="usage")
    owner = models.CharField(max_length=150, help_text="The caller by a name that stays.")
    key_label = models.CharField(max_length=120, blank=True)
    model = models.CharField(max_length=100)
    endpoint = models.CharField(max_length=20)
    status = models.CharField(
        max_length=40,
        default=RUNNING,
        help_text="running, stop, length, cancelled, lost, or an error's code.",
    )
    prompt_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    queued_seconds = models.FloatField(default=0)
    prefill_seconds = models.FloatField(default=0)
    decode_seconds = models.FloatField(default=0)
    request_id = models.CharField(max_length=100, blank=True)
    address = models.CharField(max_length=45, blank=True)
    client = models.CharField(max_length=200, blank=True, help_text="The User-Agent.")
    holder = models.UUIDField(null=True, help_text="The server process that runs it.")
    reserved = models.BigIntegerField(default=0)
    claims = models.JSONField(default=list)

    objects = UsageQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = "usage record"
        indexes = [
            models.Index(fields=["user", "at"]),
            models.Index(fields=["key", "at"]),
            models.Index(fields=["owner", "at"]),
            models.Index(fields=["holder"], name="running_usage", condition=Q(status=RUNNING)),
        ]

    def __str__(self) -> str:
        return f"{self.owner} {self.model} {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class UsageDay(models.Model):
    """A day's sums (UTC) of one caller, key and model; kept when the records go."""

    day = models.DateField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="usage_days"
    )
    owner = models.CharField(max_length=150)
    key_label = models.CharField(max_length=120, blank=True)
    model = models.CharField(max_length=100)
    requests = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    cached_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-day"]
        constraints = [
            models.UniqueConstraint(
                name="one_usage_day", fields=["day", "owner", "key_label", "model"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.owner} {self.model}"


class PromptRecord(models.Model):
    """What was asked and answered, of those whose policy says so. With a retention of its own."""

    uid = models.UUIDField(unique=True, help_text="The usage record's.")
    at = models.DateTimeField(db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True)
    owner = models.CharField(max_length=150)
    model = models.CharField(max_length=100)
    request_id = models.CharField(max_length=100, blank=True)
    prompt = models.JSONField(help_text="Messages, a text or tokens, as they were given.")
    answer = models.TextField(blank=True)

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.owner} {self.model} {self.at:%Y-%m-%d %H:%M:%S}"
