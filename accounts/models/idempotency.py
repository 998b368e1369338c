"""Answers that a client may ask for again."""

from django.db import models


class IdempotentAnswer(models.Model):
    """The answer to the first request with an `Idempotency-Key`; no body while it runs."""

    owner = models.CharField(max_length=150)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="Of the endpoint and the body.")
    holder = models.UUIDField(help_text="The server process that computes it.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_idempotent_answer", fields=["owner", "key"])
        ]

    def __str__(self) -> str:
        return f"{self.owner} {self.key}"
