"""What people fill in about their own keys."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import User

from .own_keys import MAX_ACTIVE, has_room

NEVER = "never"
ON_A_DATE = "date"
LIFETIMES = [
    (NEVER, "Never"),
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("365", "In a year"),
    (ON_A_DATE, "On a date"),
]
OVERLAPS = [("0", "At once"), ("1", "In 1 hour"), ("24", "In 1 day"), ("168", "In 7 days")]
FURTHEST = timedelta(days=3660)


def _check_shown(value: str) -> None:
    """Such as a line break: whoever reads the name later would not see what it is."""
    if not value.isprintable():
        raise ValidationError(f"{value!r} has characters that cannot be shown.")


def _check_room(user: User) -> None:
    if not has_room(user):
        raise ValidationError(
            f"You have {MAX_ACTIVE} active keys, and no more are allowed. Revoke one first."
        )


class NewKeyForm(forms.Form):
    name = forms.CharField(
        max_length=100,
        help_text="What it is for, such as “laptop”.",
        validators=[_check_shown],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    expires = forms.ChoiceField(choices=LIFETIMES, label="Expires")
    last_day = forms.DateField(
        required=False,
        help_text="It works until the end of that day (UTC).",
        widget=forms.DateInput(attrs={"type": "date"}),
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
            self.add_error("last_day", "Give the key's last day.")
        elif not today <= day <= today + FURTHEST:
            self.add_error(
                "last_day", f"{day} is not between today and {today + FURTHEST} (ten years)."
            )

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
    old_ends = forms.ChoiceField(choices=OVERLAPS, initial="24", label="The old key stops working")

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
    name = forms.CharField(max_length=100, validators=[_check_shown])
