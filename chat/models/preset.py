"""Ways to begin a conversation, kept to be used again."""

from typing import Any

from django.conf import settings
from django.db import models


class Preset(models.Model):
    """A model, a system prompt and parameters under a name."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="presets")
    name = models.CharField(max_length=100)
    model = models.CharField(max_length=200, blank=True)
    system_prompt = models.TextField(blank=True)
    parameters: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(
        default=dict, blank=True
    )

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(name="one_preset", fields=["user", "name"])]

    def __str__(self) -> str:
        return self.name
