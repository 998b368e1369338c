"""The administration's menu and look; `UNFOLD` in the settings names them."""

from typing import Any, NamedTuple

from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from accounts.models import ApiKey, AuditEntry, Policy, PromptRecord, UsageRecord, User
from chat.models import Conversation
from inference.models import LanguageModel


class Entry(NamedTuple):
    """A page, seen by whoever may view the rows of `model`."""

    title: str
    icon: str
    url_name: str
    model: type[Any]


MENU = {
    "Serving": [
        Entry("Models", "neurology", "inference_languagemodel_changelist", LanguageModel),
    ],
    "Who may": [
        Entry("People", "person", "accounts_user_changelist", User),
        Entry("Groups", "group", "auth_group_changelist", Group),
        Entry("API keys", "key", "accounts_apikey_changelist", ApiKey),
        Entry("Second factors", "phonelink_lock", "mfa_authenticator_changelist", Authenticator),
        Entry("Policies and quotas", "speed", "accounts_policy_changelist", Policy),
    ],
    "What was done": [
        Entry("Usage", "bar_chart", "accounts_usage_report", UsageRecord),
        Entry("Requests", "list_alt", "accounts_usagerecord_changelist", UsageRecord),
        Entry("Conversations", "forum", "chat_conversation_changelist", Conversation),
        Entry("Prompts", "chat", "accounts_promptrecord_changelist", PromptRecord),
        Entry("Audit log", "history", "accounts_auditentry_changelist", AuditEntry),
    ],
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """What this person may see, the page they are on marked."""
    seen = {title: _items(request, entries) for title, entries in MENU.items()}
    here = _here(request, [item["link"] for items in seen.values() for item in items])
    for items in seen.values():
        for item in items:
            item["active"] = item["link"] == here
    return [{"title": title, "items": items} for title, items in seen.items() if items]


def _items(request: HttpRequest, entries: list[Entry]) -> list[dict[str, Any]]:
    return [
        {"title": entry.title, "icon": entry.icon, "link": reverse(f"admin:{entry.url_name}")}
        for entry in entries
        if admin.site.get_model_admin(entry.model).has_view_permission(request)
    ]


def _here(request: HttpRequest, links: list[str]) -> str:
    """The link to this page, or to the list above it: a report stands below a list, too."""
    above = [link for link in links if request.path.startswith(link)]
    return max(above, key=len, default="")


def stylesheet(request: HttpRequest) -> str:
    return static("css/admin.css")


def icon(request: HttpRequest) -> str:
    return static("icon.svg")


def greens(request: HttpRequest) -> dict[str, str]:
    """The site's accent, from the lightest to the darkest."""
    return {
        "50": "oklch(97.5% .014 168)",
        "100": "oklch(94.5% .032 168)",
        "200": "oklch(89.5% .06 168)",
        "300": "oklch(82.5% .09 168)",
        "400": "oklch(75.5% .105 168)",
        "500": "oklch(62% .11 168)",
        "600": "oklch(49% .09 168)",
        "700": "oklch(43% .08 168)",
        "800": "oklch(37% .065 168)",
        "900": "oklch(32% .055 168)",
        "950": "oklch(23% .04 168)",
    }
