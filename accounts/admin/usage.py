"""The ledger of requests: to look at, as charts, and to download."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.decorators import display

from accounts import audit
from accounts.downloads import download
from accounts.models import UsageRecord
from accounts.reports import csv_rows

from .exports import ExportAdmin
from .texts import moment
from .usage_filters import EndpointFilter, ModelFilter, OutcomeFilter, outcome
from .usage_report import USUAL, asked_days, usage_report


@admin.register(UsageRecord)
class UsageAdmin(ExportAdmin):
    export_title = "Download as CSV"
    date_hierarchy = "at"
    list_display = [
        *("when", "caller", "model", "endpoint", "state"),
        *("tokens", "seconds"),
    ]
    list_filter = [
        *(OutcomeFilter, ModelFilter, EndpointFilter),
        ("user", admin.RelatedOnlyFieldListFilter),
    ]
    list_select_related = ["user"]
    search_fields = ["request_id", "owner", "user__username"]
    search_help_text = "A request's id, or its caller."
    fieldsets = [
        (
            None,
            {
                "fields": [
                    *("when", "owner", "user", "key_label", "key", "model", "endpoint", "state"),
                    "request_id",
                ]
            },
        ),
        ("Tokens", {"fields": ["prompt_tokens", "cached_tokens", "completion_tokens"]}),
        ("Seconds", {"fields": ["queued_seconds", "prefill_seconds", "decode_seconds"]}),
        ("Client", {"fields": ["address", "client"]}),
        ("While it runs", {"fields": ["reserved", "claims", "holder"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.report_view)
        return [path("report/", view, name="accounts_usage_report"), *super().get_urls()]

    def report_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        days = asked_days(request.GET.get("days", str(USUAL)))
        common = {**self.admin_site.each_context(request), "title": "Usage", "opts": self.opts}
        return TemplateResponse(
            request, "admin/accounts/usage_report.html", {**common, **usage_report(days)}
        )

    def export(self, request: HttpRequest, rows: QuerySet[UsageRecord]) -> StreamingHttpResponse:
        audit.record("usage.exported", after={"filter": request.GET.urlencode()})
        return download(csv_rows(rows), "usage.csv", "text/csv; charset=utf-8")

    @display(description="At (UTC)", ordering="at")
    def when(self, record: UsageRecord) -> str:
        return moment(record.at)

    @display(description="Caller", ordering="owner")
    def caller(self, record: UsageRecord) -> str:
        return record.user.get_username() if record.user else record.owner

    @display(
        description="Status",
        ordering="status",
        label={"running": "info", "answered": "success", "failed": "danger"},
    )
    def state(self, record: UsageRecord) -> tuple[str, str]:
        return outcome(record.status), record.status

    @display(description="Tokens in + out")
    def tokens(self, record: UsageRecord) -> str:
        return f"{record.prompt_tokens:,} + {record.completion_tokens:,}"

    @display(description="Seconds")
    def seconds(self, record: UsageRecord) -> str:
        """All of them, waiting included."""
        whole = record.queued_seconds + record.prefill_seconds + record.decode_seconds
        return f"{whole:.1f}"
