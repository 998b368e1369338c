"""Mistakes of a deployment that `manage.py check --database default` finds."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError

from . import validation
from .models import LanguageModel, Task
from .sources import problem_of


@register(Tags.database)
def check_model_files(app_configs: Any, databases: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every fetched file is still there, and those of draft models, and every chat has a
    template.
    """
    if not databases:
        return []
    try:
        return [found for row in LanguageModel.objects.routable() for found in _check(row)]
    except DatabaseError:  # `migrate` runs this before there are tables
        return []


def _check(row: LanguageModel) -> list[CheckMessage]:
    missing = [path for path in (row.path, row.projector_path) if path and problem_of(path)]
    if missing:
        return [
            Warning(
                f"{row}: {missing[0]}: {problem_of(missing[0])}.",
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
    return _check_draft(row)


def _check_draft(row: LanguageModel) -> list[CheckMessage]:
    draft = row.draft
    if draft is None or (draft.path is not None and not problem_of(draft.path)):
        return []
    return [
        Warning(
            f"{row}: its draft model {draft} has no file; it is served without, and slower.",
            hint=f"manage.py prefetch {draft}",
            id="inference.W003",
        )
    ]


@register()
def check_validators(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every path of `security.validators` leads to a validator."""
    return [Error(text, id="inference.E001") for text in validation.mistakes()]
