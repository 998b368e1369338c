"""Prompts and answers that are kept: personal data, for superusers only."""

import json
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from unfold.decorators import display

from accounts import audit
from accounts.models import PromptRecord

from .access import ReadOnlyAdmin
from .texts import moment

PROMPTS = ("messages", "text", "tokens")  # one of them is in a request to the engine


@admin.register(PromptRecord)
class PromptAdmin(ReadOnlyAdmin):
    """Deleting is allowed: people may ask for it."""

    date_hierarchy = "at"
    list_display = ["when", "owner", "model", "request_id"]
    search_fields = ["request_id", "owner", "user__username"]
    fieldsets = [
        (None, {"fields": ["when", "owner", "user", "model", "request_id"]}),
        ("Conversation", {"fields": ["asked", "answered"]}),
    ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def delete_model(self, request: HttpRequest, obj: PromptRecord) -> None:
        _note_deletion(obj)
        super().delete_model(request, obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PromptRecord]) -> None:
        for record in queryset:
            _note_deletion(record)
        super().delete_queryset(request, queryset)

    @display(description="At (UTC)", ordering="at")
    def when(self, record: PromptRecord) -> str:
        return moment(record.at)

    @display(description="Asked")
    def asked(self, record: PromptRecord) -> str:
        return render_to_string("admin/accounts/said.html", {"parts": _parts(record.prompt)})

    @display(description="Answered")
    def answered(self, record: PromptRecord) -> str:
        return render_to_string("admin/accounts/said.html", {"parts": [("", record.answer)]})


def _note_deletion(record: PromptRecord) -> None:
    """Whose, and not what: that is what is to be forgotten."""
    audit.record("prompt.deleted", f"prompt:{record.pk} of {record.owner}, {record.request_id}")


def _parts(prompt: Any) -> list[tuple[str, str]]:
    """Who says what; of what is not a chat, only what."""
    if isinstance(prompt, dict):
        prompt = next((prompt[name] for name in PROMPTS if name in prompt), prompt)
    if not isinstance(prompt, list) or not all(isinstance(part, dict) for part in prompt):
        return [("", _text(prompt))]
    return [(str(part.get("role", "")), _text(part.get("content", part))) for part in prompt]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)
