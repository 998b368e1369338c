"""Policies: edited where their group, person or key is, listed with where their quotas stand."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from redis import RedisError
from unfold.admin import ModelAdmin, StackedInline
from unfold.decorators import display
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.accounting import quotas_store
from accounts.charts import humanised
from accounts.models import Endpoint, Policy, SchedulerClass
from accounts.policy import EffectivePolicy
from accounts.quota.base import Count
from accounts.quota.windows import Period

from .lists import LinesField

FIELDSETS: Any = [
    (
        "What, and from where",
        {"fields": ["allowed_models", "allowed_endpoints", "allowed_addresses", "expires_at"]},
    ),
    (
        "How much",
        {
            "fields": [
                ("requests_per_minute", "tokens_per_minute"),
                ("tokens_per_day", "tokens_per_month"),
                "max_running",
            ]
        },
    ),
    (
        "How large a request",
        {
            "fields": [
                ("max_prompt_tokens", "max_prompt_characters"),
                ("max_output_tokens", "max_messages"),
                "max_body_kb",
            ]
        },
    ),
    (
        "How it is served",
        {"fields": [("max_computed", "scheduler_class"), ("deterministic", "log_prompts")]},
    ),
]


class PolicyForm(forms.ModelForm):
    """Lists are edited as lists; the model's validators name what is wrong in them."""

    allowed_endpoints = forms.MultipleChoiceField(
        choices=Endpoint.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=Policy._meta.get_field("allowed_endpoints").help_text,
    )

    class Meta:
        model = Policy
        fields = flatten_fieldsets(FIELDSETS)
        field_classes = {"allowed_models": LinesField, "allowed_addresses": LinesField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        nothing = "No rule"
        choices = [("", nothing), *SchedulerClass.choices]
        _choose(self.fields.get("scheduler_class"), choices)
        choices = [("unknown", nothing), ("true", "In their class"), ("false", "None")]
        _choose(self.fields.get("deterministic"), choices)
        choices = [("unknown", nothing), ("true", "Keep them"), ("false", "Do not keep them")]
        _choose(self.fields.get("log_prompts"), choices)

    def clean_allowed_endpoints(self) -> list[str] | None:
        return self.cleaned_data["allowed_endpoints"] or None


def _choose(field: Any, choices: list[tuple[str, str]]) -> None:
    """Names for what the select offers. Who may only look has no such field."""
    if field:
        field.widget.choices = choices


class PolicyInline(StackedInline):
    """The one policy of a group, a person or a key."""

    model = Policy
    form = PolicyForm
    fieldsets = FIELDSETS
    max_num = 1
    verbose_name_plural = "policy"


class CountedChangeList(ChangeList):
    """Policies with where their quotas stand, in one go for the page."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        policies: list[Policy] = [*self.result_list]
        counts = _counts(request, policies)
        for policy in policies:
            mine = [count for count in counts if count.quota.level == policy.label]
            vars(policy)["counts"] = {count.quota.period: count for count in mine}
        self.result_list = policies


def _counts(request: HttpRequest, policies: Sequence[Policy]) -> list[Count]:
    """From wherever they are counted, the database or Redis."""
    quotas = EffectivePolicy(policies).quotas
    try:
        return quotas_store().counts(quotas, timezone.now())
    except RedisError as error:
        messages.error(request, f"Where quotas stand is not known, Redis says: {error}")
        return []


@admin.register(Policy)
class PolicyAdmin(ModelAdmin):
    """Tells why somebody was refused: what is used and held of each quota, and its end."""

    form = PolicyForm
    list_display = ["label", "minute", "day", "month", "running", "requests_per_minute"]
    list_per_page = 25  # the counts of each may be a few queries
    list_select_related = ["group", "user", "key"]
    search_fields = ["group__name", "user__username", "key__prefix", "key__name"]
    readonly_fields = ["subject_link"]
    fieldsets = [(None, {"fields": ["subject_link"]}), *FIELDSETS]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # one is made where its subject is

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CountedChangeList

    @display(description="Of", ordering="pk")
    def label(self, policy: Policy) -> str:
        return policy.label

    @display(description="Of")
    def subject_link(self, policy: Policy) -> str:
        subject = policy.key or policy.user or policy.group
        assert subject is not None  # a constraint of the table
        page = f"admin:{subject._meta.app_label}_{subject._meta.model_name}_change"
        return format_html('<a href="{}">{}</a>', reverse(page, args=[subject.pk]), policy.label)

    @display(description="Tokens this minute", ordering="tokens_per_minute")
    def minute(self, policy: Policy) -> str:
        return _text(policy, Period.MINUTE)

    @display(description="Tokens today", ordering="tokens_per_day")
    def day(self, policy: Policy) -> str:
        return _text(policy, Period.DAY)

    @display(description="Tokens this month", ordering="tokens_per_month")
    def month(self, policy: Policy) -> str:
        return _text(policy, Period.MONTH)

    @display(description="Running", ordering="max_running")
    def running(self, policy: Policy) -> str:
        return _text(policy, Period.RUNNING)


def _text(policy: Policy, period: Period) -> str:
    count: Count | None = vars(policy)["counts"].get(period)
    if count is None:
        return ""
    used, held, limit = map(humanised, (count.used, count.reserved, count.quota.limit))
    if period is Period.RUNNING:
        return f"{held} of {limit}"
    return f"{used} used, {held} held of {limit}" if count.reserved else f"{used} of {limit}"
