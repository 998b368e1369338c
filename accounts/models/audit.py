"""Who changed what: a chain of entries in which no link can be altered unseen."""

from django.conf import settings
from django.db import models


class AuditEntry(models.Model):
    """One administrative or security action. Written by `accounts.audit` only."""

    number = models.PositiveBigIntegerField(unique=True, help_text="1, 2, 3 and so on.")
    at = models.DateTimeField()
    action = models.CharField(max_length=50, help_text="Such as 'key.created'.")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    actor_name = models.CharField(max_length=150)
    target = models.CharField(max_length=200, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=100, blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.number} {self.action} {self.target}"


class AuditHead(models.Model):
    """The end of the chain, in one row: writers queue for it, and a cut-off tail shows."""

    number = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64)

    def __str__(self) -> str:
        return str(self.number)
