"""Answers that programs have asked for, and will ask for again."""

from typing import Any

from django.db import models

from .message import Message


class StoredResponse(models.Model):
    """How an answer was asked for over the API. Its id there is made of the answer's.

    An answer that people have asked for on a page has none, and is a response all the same.
    What was said for it comes after `previous`, which in a branch that goes on from what a
    person said is no response.
    """

    answer = models.OneToOneField(Message, models.CASCADE, related_name="response")
    previous = models.ForeignKey(Message, models.SET_NULL, null=True, blank=True, related_name="+")
    request: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(
        default=dict, help_text="Its fields, as the response repeats them."
    )
    is_background = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="Programs find it no more; what followed it stays."
    )

    def __str__(self) -> str:
        return f"response {self.answer.uid}"
