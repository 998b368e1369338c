"""Receipts: they hold prompts, personal data, so they are for superusers only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from accounts.admin.access import ReadOnlyAdmin
from accounts.admin.texts import moment
from inference.models import Receipt


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    date_hierarchy = "at"
    list_display = ["uid", "when", "owner", "user", "model", "finish_reason"]
    search_fields = ["uid", "request_id", "owner", "user__username"]
    fields = [
        *("uid", "when", "owner", "user", "request_id", "finish_reason"),
        *("model", "model_sha256", "adapter_sha256", "adapter_scale", "template_sha256", "params"),
        *("build", "system", "device", "options", "prompt_tokens", "output_tokens"),
    ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    @display(description="At (UTC)", ordering="at")
    def when(self, receipt: Receipt) -> str:
        return moment(receipt.at)
