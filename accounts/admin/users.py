"""People: their accounts, their policy, their keys."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.callers import policy_of
from accounts.models import User

from .access import may_act_for
from .key_columns import KeysInline
from .policies import PolicyInline
from .rules import rules_table

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    """Only superusers give rights; groups are among them, since groups have permissions."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = [PolicyInline, KeysInline]
    list_display = ["username", "email", "full_name", "is_active", "is_staff", "last_login"]
    actions_detail = ["new_key", "requests"]

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[Any]:
        return [*self.inlines] if obj else []

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return [*fieldsets, ("Rules that hold", {"fields": ["rules"]})] if obj else fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        fixed = ["last_login", "date_joined", "rules"]
        return fixed if request.user.is_superuser else [*fixed, *RIGHTS]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        is_allowed = super().has_change_permission(request, obj)
        return is_allowed and (obj is None or may_act_for(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        is_allowed = super().has_delete_permission(request, obj)
        return is_allowed and (obj is None or may_act_for(request.user, obj))

    def has_issue_permission(self, request: HttpRequest, pk: str | None = None) -> bool:
        return request.user.has_perm("accounts.add_apikey")

    def has_look_permission(self, request: HttpRequest, pk: str | None = None) -> bool:
        return request.user.has_perm("accounts.view_usagerecord")

    @display(description="Name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @display(description="All levels")
    def rules(self, user: User) -> str:
        return rules_table(policy_of(user).levels)

    @action(description="New API key", icon="key", permissions=["issue"])
    def new_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(f"{reverse('admin:accounts_apikey_add')}?user={object_id}")

    @action(description="Requests", icon="list_alt", permissions=["look"])
    def requests(self, request: HttpRequest, object_id: str) -> HttpResponse:
        page = reverse("admin:accounts_usagerecord_changelist")
        return redirect(f"{page}?user__id__exact={object_id}")
