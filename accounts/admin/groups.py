"""Groups: teams with a policy that their members share."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import display

from .policies import PolicyInline

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Only superusers give permissions."""

    inlines = [PolicyInline]
    list_display = ["name", "people"]

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        return ["name", "people", "permissions"] if obj else ["name", "permissions"]

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> list[str]:
        return ["people"] if request.user.is_superuser else ["people", "permissions"]

    def get_inlines(self, request: HttpRequest, obj: Group | None) -> list[Any]:
        return [*self.inlines] if obj else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(num_people=Count("user"))

    @display(description="People", ordering="num_people")
    def people(self, group: Any) -> str:
        page = reverse("admin:accounts_user_changelist")
        link = '<a href="{}?groups__id__exact={}">{}</a>'
        return format_html(link, page, group.pk, group.num_people)
