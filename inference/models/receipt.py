"""What an answer came of, so that it can be made again."""

import uuid

from django.conf import settings
from django.db import models


class Receipt(models.Model):
    """One deterministic answer: its tokens, and all that decided them.

    It has the prompt, too, as tokens. People's go with their account.
    """

    uid = models.UUIDField("id", unique=True, default=uuid.uuid4)
    at = models.DateTimeField(db_index=True, help_text="When the answer was complete.")
    owner = models.CharField(max_length=150, help_text="Whose it is, as `user:7`.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="receipts"
    )
    request_id = models.CharField(max_length=100, blank=True)
    model = models.CharField(max_length=100)
    model_sha256 = models.CharField("SHA-256 of the model", max_length=64)
    adapter_sha256 = models.CharField("SHA-256 of the adapter", max_length=64, blank=True)
    adapter_scale = models.FloatField(null=True)
    template_sha256 = models.CharField("SHA-256 of the chat template", max_length=64)
    params = models.JSONField(help_text="How tokens were chosen, the seed included.")
    build = models.CharField(max_length=200, help_text="Of the engine.")
    system = models.TextField(blank=True, help_text="What the build could use of the machine.")
    device = models.CharField(max_length=50)
    options = models.JSONField(help_text="How the engine was set up.")
    prompt_tokens = models.JSONField()
    output_tokens = models.JSONField()
    finish_reason = models.CharField(max_length=20)

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return str(self.uid)
