"""API keys of everybody."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from accounts.callers import policy_of
from accounts.charts import humanised
from accounts.models import ApiKey, UsageRecord, User

from .access import may_act_for
from .key_changes import KeyChanges
from .key_columns import KeyColumns, StateFilter
from .policies import PolicyInline
from .rules import rules_table

USAGE_SPAN = timedelta(days=30)
PREFIX_AT = slice(3, 11)  # in `sk-aBcD1234-…`
FACTS = ["created", "last_used", "revoked_at", "replaced_by", "requests", "tokens"]


@admin.register(ApiKey)
class ApiKeyAdmin(KeyColumns, KeyChanges):
    list_display = [
        *("shown", "user", "name", "state", "created", "last_used", "expires"),
        *("requests", "tokens"),
    ]
    list_filter = [StateFilter, ("user", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["prefix", "name", "user__username", "user__email"]
    search_help_text = "A key as it is shown, its name, or its person."
    autocomplete_fields = ["user"]

    # Access: whoever holds a key acts as its person.

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        is_allowed = super().has_change_permission(request, obj)
        return is_allowed and (obj is None or may_act_for(request.user, obj.user))

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Revoking is the usual way: a row that is gone explains nothing."""
        return request.user.is_superuser

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user" and not request.user.is_superuser:
            mine = Q(username=request.user.get_username())
            kwargs["queryset"] = User.objects.filter(mine | Q(is_staff=False, is_superuser=False))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    # All keys

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        since = timezone.now() - USAGE_SPAN
        recent = UsageRecord.objects.filter(key=OuterRef("pk"), at__gte=since).order_by()
        sums = recent.values("key").annotate(
            requests=Count("pk"), tokens=Sum(F("prompt_tokens") + F("completion_tokens"))
        )
        keys: QuerySet[ApiKey] = super().get_queryset(request)
        return keys.annotate(
            num_requests=Coalesce(Subquery(sums.values("requests")), 0),
            num_tokens=Coalesce(Subquery(sums.values("tokens")), 0),
        )

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        term = search_term.strip()
        term = term[PREFIX_AT] if term.startswith("sk-") else term
        return super().get_search_results(request, queryset, term)

    @display(description="Requests, 30 days", ordering="num_requests")
    def requests(self, key: Any) -> str:
        return humanised(key.num_requests)

    @display(description="Tokens, 30 days", ordering="num_tokens")
    def tokens(self, key: Any) -> str:
        return humanised(key.num_tokens)

    # One key

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ["user", "name", "expires_at"]})]
        return [
            (None, {"fields": ["shown", "user", "name", "state", "expires_at"]}),
            ("What became of it", {"fields": FACTS}),
            ("Rules that hold", {"fields": ["rules"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return ["shown", "user", "state", "rules", *FACTS] if obj else []

    def get_inlines(self, request: HttpRequest, obj: ApiKey | None) -> list[Any]:
        return [PolicyInline] if obj else []

    @display(description="All levels")
    def rules(self, key: ApiKey) -> str:
        return rules_table(policy_of(key.user, key).levels)
