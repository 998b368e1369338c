"""Second factors: of what allauth keeps, all that is shown here, and without its secrets.

Its own pages in the administration show codes, tokens and client secrets, and who may
change an email address there can have anybody's password reset.
"""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import audit

from .access import ReadOnlyAdmin, may_act_for

admin.site.unregister([EmailAddress, SocialAccount, SocialApp, SocialToken, Authenticator])


@admin.register(Authenticator)
class SecondFactorAdmin(ReadOnlyAdmin):
    """One is taken away from whoever has lost it."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_select_related = ["user"]
    list_filter = ["type"]
    search_fields = ["user__username", "user__email"]
    fields = ["user", "type", "created_at", "last_used_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = request.user.has_perm("mfa.delete_authenticator")
        return is_allowed and (obj is None or may_act_for(request.user, obj.user))

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        target = f"user:{obj.user_id} {obj.user}"
        audit.record("user.changed", target, before={"second_factor": obj.type})
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for factor in queryset.select_related("user"):
            self.delete_model(request, factor)
