"""What lists of keys show, and how they are narrowed."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display

from accounts.models import ApiKey

from .texts import moment


class KeyColumns:
    """Of every list of keys."""

    @display(description="Key", ordering="prefix")
    def shown(self, key: ApiKey) -> str:
        return key.shown

    @display(description="State", label={"active": "success", "expired": "warning"})
    def state(self, key: ApiKey) -> str:
        return key.state

    @display(description="Created", ordering="created_at")
    def created(self, key: ApiKey) -> str:
        return moment(key.created_at)

    @display(description="Last used", ordering="last_used_at")
    def last_used(self, key: ApiKey) -> str:
        return moment(key.last_used_at)

    @display(description="Expires", ordering="expires_at")
    def expires(self, key: ApiKey) -> str:
        return moment(key.expires_at)


class KeysInline(KeyColumns, TabularInline):
    """A person's keys, to look at."""

    model = ApiKey
    fields = ["shown", "name", "state", "created", "last_used", "expires"]
    readonly_fields = fields
    can_delete = False
    hide_title = True
    verbose_name_plural = "API keys"

    @display(description="Key")
    def shown(self, key: ApiKey) -> str:
        page = reverse("admin:accounts_apikey_change", args=[key.pk])
        return format_html('<a href="{}" class="text-link">{}</a>', page, key.shown)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("active", "Active"), ("expired", "Expired"), ("revoked", "Revoked")]

    def queryset(self, request: HttpRequest, keys: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "active":
                return keys.filter(pk__in=ApiKey.objects.active().values("pk"))
            case "expired":
                return keys.filter(revoked_at=None, expires_at__lte=timezone.now())
            case "revoked":
                return keys.exclude(revoked_at=None)
        return keys
