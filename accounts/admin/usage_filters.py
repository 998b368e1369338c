"""How the ledger is narrowed."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Endpoint, UsageRecord
from accounts.models.usage import ANSWERED, NO_FAILURES, RUNNING

CANCELLED = "cancelled"
RECENT = timedelta(days=90)  # models that were asked since then can be chosen


def outcome(status: str) -> str:
    """The kind of a status: `running`, `answered`, `cancelled` or `failed`."""
    if status in (RUNNING, CANCELLED):
        return status
    return "answered" if status in ANSWERED else "failed"


class OutcomeFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = (RUNNING, "answered", CANCELLED, "failed")
        return [(name, name.capitalize()) for name in names]

    def queryset(self, request: HttpRequest, records: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "answered":
                return records.filter(status__in=ANSWERED)
            case "failed":
                return records.exclude(status__in=NO_FAILURES)
            case "running" | "cancelled" as status:
                return records.filter(status=status)
        return records


class ModelFilter(admin.SimpleListFilter):
    title = "model"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        recent = UsageRecord.objects.filter(at__gte=timezone.now() - RECENT)
        names = recent.order_by("model").values_list("model", flat=True).distinct()
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, records: QuerySet[Any]) -> QuerySet[Any]:
        return records.filter(model=self.value()) if self.value() else records


class EndpointFilter(admin.SimpleListFilter):
    title = "endpoint"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*Endpoint.choices]

    def queryset(self, request: HttpRequest, records: QuerySet[Any]) -> QuerySet[Any]:
        return records.filter(endpoint=self.value()) if self.value() else records
