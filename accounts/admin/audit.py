"""The audit log, to look at and to download."""

import json
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.template.loader import render_to_string
from unfold.decorators import display

from accounts import audit
from accounts.downloads import download
from accounts.models import AuditEntry

from .exports import ExportAdmin
from .texts import moment


class ActionFilter(admin.SimpleListFilter):
    title = "action"
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        actions = AuditEntry.objects.order_by("action").values_list("action", flat=True)
        return [(action, action) for action in actions.distinct()]

    def queryset(self, request: HttpRequest, entries: QuerySet[Any]) -> QuerySet[Any]:
        return entries.filter(action=self.value()) if self.value() else entries


@admin.register(AuditEntry)
class AuditAdmin(ExportAdmin):
    export_title = "Download as JSON lines"
    date_hierarchy = "at"
    list_display = ["number", "when", "action", "actor_name", "target", "address"]
    list_display_links = ["number", "when"]
    list_filter = [ActionFilter, ("actor", admin.RelatedOnlyFieldListFilter)]
    search_fields = ["action", "actor_name", "target", "address", "request_id"]
    fieldsets = [
        (None, {"fields": ["number", "when", "action", "target", "changes"]}),
        ("Who", {"fields": ["actor_name", "actor", "address", "request_id"]}),
        ("In the chain", {"fields": ["previous_hash", "hash"]}),
    ]

    def export(self, request: HttpRequest, rows: QuerySet[AuditEntry]) -> StreamingHttpResponse:
        audit.record("audit.exported", after={"filter": request.GET.urlencode()})
        return download(_lines(rows), "audit.jsonl", "application/jsonl")

    @display(description="At (UTC)", ordering="at")
    def when(self, entry: AuditEntry) -> str:
        return moment(entry.at)

    @display(description="Before and after")
    def changes(self, entry: AuditEntry) -> str:
        before, after = entry.before or {}, entry.after or {}
        names = dict.fromkeys([*before, *after])
        rows = [(name, _text(before, name), _text(after, name)) for name in names]
        return render_to_string("admin/accounts/changes.html", {"rows": rows}) if rows else ""


def _lines(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    """As `manage.py export_audit` writes them, the oldest first."""
    return map(audit.export_line, entries.order_by("number").iterator(audit.CHUNK))


def _text(values: dict[str, Any], name: str) -> str:
    """Texts as they are, all else as JSON; empty if it is not there."""
    value = values.get(name, "")
    return value if isinstance(value, str) else json.dumps(value)
