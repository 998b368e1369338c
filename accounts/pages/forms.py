"""What people fill in about their own keys."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User

from .own_keys import MAX_ACTIVE, has_room

NEVER = "never"
ON_A_DATE = "date"
LIFETIMES = [
    (NEVER, gettext_lazy("Never")),
    ("30", gettext_lazy("In 30 days")),
    ("90", gettext_lazy("In 90 days")),
    ("365", gettext_lazy("In a year")),
    (ON_A_DATE, gettext_lazy("On a date")),
]
OVERLAPS = [
    ("0", gettext_lazy("At once")),
    ("1", gettext_lazy("In 1 hour")),
    ("24", gettext_lazy("In 1 day")),
    ("168", gettext_lazy("In 7 days")),
]
FURTHEST = timedelta(days=3660)


def _check_shown(value: str) -> None:
    """Such as a line break: whoever reads the name later would not see what it is."""
    if not value.isprintable():
        raise ValidationError(
            _("%(value)r has characters that cannot be shown.") % {"value": value}
        )


def _check_room(user: User) -> None:
    if not has_room(user):
        raise ValidationError(
            _("You have %(most)d active keys, and no more are allowed. Revoke one first.")
            % {"most": MAX_ACTIVE}
        )


class NewKeyForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=gettext_lazy("What it is for, such as “laptop”."),
        validators=[_check_shown],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    expires = forms.ChoiceField(choices=LIFETIMES, label=gettext_lazy("Expires"))
    last_day = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        help_text=gettext_lazy("It works until the end of that day (UTC)."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("expires") == ON_A_DATE and "last_day" not in self.errors:
            self._check_last_day(data.get("last_day"))
        _check_room(self._user)
        return data

    def _check_last_day(self, day: date | None) -> None:
        today = timezone.now().date()
        if day is None:
            self.add_error("last_day", _("Give the key's last day."))
        elif not today <= day <= today + FURTHEST:
            text = _("%(day)s is not between today and %(furthest)s (ten years).")
            furthest = date_format(today + FURTHEST)
            self.add_error("last_day", text % {"day": date_format(day), "furthest": furthest})

    @property
    def expires_at(self) -> datetime | None:
        """Of a valid form."""
        expires = self.cleaned_data["expires"]
        if expires == NEVER:
            return None
        if expires == ON_A_DATE:
            return datetime.combine(self.cleaned_data["last_day"], time(), UTC) + timedelta(days=1)
        return timezone.now() + timedelta(days=int(expires))


class RotateForm(forms.Form):
    old_ends = forms.ChoiceField(
        choices=OVERLAPS, initial="24", label=gettext_lazy("The old key stops working")
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("old_ends") != "0":  # then both count for a while
            _check_room(self._user)
        return data

    @property
    def overlap(self) -> timedelta:
        """Of a valid form."""
        return timedelta(hours=int(self.cleaned_data["old_ends"]))


class RenameForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100, validators=[_check_shown])
