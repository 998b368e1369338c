"""What a list shows, with its search and filters, as a file."""

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, path

from .access import ReadOnlyAdmin


class ExportAdmin(ReadOnlyAdmin):
    """A list with a button that downloads what the list shows."""

    list_before_template = "admin/accounts/export_button.html"
    export_title: str
    """What the button says."""

    def export(self, request: HttpRequest, rows: QuerySet[Any]) -> StreamingHttpResponse:
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        view = self.admin_site.admin_view(self._export)
        return [path("export/", view, name=name), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        context = {"export_title": self.export_title, "export_query": request.GET.urlencode()}
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def _export(self, request: HttpRequest) -> StreamingHttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            changes = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            raise BadRequest(f"No such filter: {request.GET.urlencode()}") from None
        return self.export(request, changes.get_queryset(request))
