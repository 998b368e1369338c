"""Making, rotating and revoking keys. A secret is shown once, in the answer to a POST."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import ApiKey
from accounts.pages.own_keys import alone, can_rotate

OVERLAPS = [
    ("0", "No time: the old one ends now"),
    ("1", "One hour"),
    ("24", "One day"),
    ("168", "One week"),
    ("720", "30 days"),
]


class KeyForm(forms.ModelForm):
    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at and "expires_at" in self.changed_data and expires_at <= timezone.now():
            raise forms.ValidationError(f"{expires_at:%Y-%m-%d %H:%M} UTC is past.")
        return expires_at


class RotateForm(forms.Form):
    hours = forms.ChoiceField(
        choices=OVERLAPS, initial="24", label="Both work for", widget=UnfoldAdminSelectWidget
    )

    @property
    def overlap(self) -> timedelta:
        return timedelta(hours=int(self.cleaned_data["hours"]))


class KeyChanges(ModelAdmin):
    form = KeyForm
    actions = ["revoke_selected"]
    actions_detail = ["rotate", "revoke"]

    # Make

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        only_save = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **only_save})

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            return super().save_model(request, obj, form, change)
        issued, text = ApiKey.objects.issue(obj.user, obj.name, obj.expires_at)
        obj.pk = issued.pk
        obj.refresh_from_db()
        vars(obj)["text"] = text  # for the answer to this request
        return None

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show_once(request, obj, vars(obj)["text"])

    def _show_once(self, request: HttpRequest, key: ApiKey, text: str) -> HttpResponse:
        """In this answer and nowhere else: neither a message nor a redirect carries it."""
        page = self._page(request, "secret.html", key, f"New key of {key.user}", text=text)
        page["Cache-Control"] = "no-store"
        return page

    # Rotate

    @action(description="Rotate", icon="autorenew")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self._changeable(request, object_id)
        form = RotateForm(request.POST or None)
        with alone(key.user):
            key.refresh_from_db()
            if can_rotate(key) and form.is_valid():
                new, text = key.rotate(form.overlap)
                self.log_change(request, key, f"Rotated to {new.shown}")
                return self._show_once(request, new, text)
        if not can_rotate(key):
            return self._back(request, key, f"{key} is {key.state} or was rotated before.", False)
        return self._page(request, "key_rotate.html", key, f"Rotate {key}", form=form)

    # Revoke

    @action(description="Revoke", icon="block")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self._changeable(request, object_id)
        if request.method != "POST":
            return self._page(request, "key_revoke.html", key, f"Revoke {key}")
        return self._back(request, key, *self._revoke(request, key))

    @admin.action(description="Revoke", permissions=["change"])
    def revoke_selected(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        for key in keys.select_related("user"):
            self._tell(request, *self._revoke(request, key))

    def _revoke(self, request: HttpRequest, key: ApiKey) -> tuple[str, bool]:
        """What came of it, and whether it is what was wanted."""
        if not self.has_change_permission(request, key):
            return f"{key} is not yours to revoke.", False
        if not key.revoke():
            return f"{key} was revoked before.", False
        self.log_change(request, key, "Revoked")
        return f"{key} is revoked.", True

    # Both

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        key = self.get_object(request, object_id)
        is_open = key and key.state == "active" and self.has_change_permission(request, key)
        return super().get_actions_detail(request, object_id) if is_open else []

    def _changeable(self, request: HttpRequest, pk: str) -> ApiKey:
        key: ApiKey | None = self.get_object(request, pk)
        if key is None:
            raise Http404
        if not self.has_change_permission(request, key):
            raise PermissionDenied
        return key

    def _page(
        self, request: HttpRequest, template: str, key: ApiKey, title: str, **context: Any
    ) -> HttpResponse:
        common = self.admin_site.each_context(request)
        context = {**common, **context, "opts": self.opts, "key": key, "title": title}
        return TemplateResponse(request, f"admin/accounts/{template}", context)

    def _back(self, request: HttpRequest, key: ApiKey, text: str, is_done: bool) -> HttpResponse:
        self._tell(request, text, is_done)
        return redirect("admin:accounts_apikey_change", key.pk)

    def _tell(self, request: HttpRequest, text: str, is_done: bool) -> None:
        self.message_user(request, text, messages.SUCCESS if is_done else messages.ERROR)
