"""Mistakes of a deployment that `manage.py check --database default` finds."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError

from . import validation
from .models import LanguageModel, Task


@register(Tags.database)
def check_model_files(app_configs: Any, databases: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every fetched file is still there, and every chat has a template."""
    if not databases:
        return []
    try:
        return [found for row in LanguageModel.objects.routable() for found in _check(row)]
    except DatabaseError:  # `migrate` runs this before there are tables
        return []


def _check(row: LanguageModel) -> list[CheckMessage]:
    if row.path is None or not row.path.is_file():
        return [
            Warning(
                f"{row}: there is no file {row.path}.",
                hint=f"manage.py prefetch {row}",
                id="inference.W001",
            )
        ]
    if row.serves == Task.GENERATE and not row.chat_template:
        return [
            Warning(
                f"{row}: its file has no chat template; chats use ChatML, which may not suit it.",
                id="inference.W002",
            )
        ]
    return []


@register()
def check_validators(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every path of `security.validators` leads to a validator."""
    return [Error(text, id="inference.E001") for text in validation.mistakes()]
