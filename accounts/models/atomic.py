"""Rows that are saved together with what the audit log says of it."""

from typing import Any

from django.db import models, transaction


class AtomicSave(models.Model):
    """A model whose signals belong to a save: what they write is committed with it, or neither."""

    class Meta:
        abstract = True

    @transaction.atomic(savepoint=False)
    def save(self, *args: Any, **options: Any) -> None:
        super().save(*args, **options)
