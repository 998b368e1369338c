"""Names that people give: conversations, folders and presets."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .models.conversation import MAX_TITLE

MAX_NAME = 100


def check_shown(value: str) -> None:
    """Such as a line break: nobody would see what it is."""
    if not value.isprintable():
        raise ValidationError(
            _("%(value)r has characters that cannot be shown.") % {"value": value}
        )


class TitleForm(forms.Form):
    title = forms.CharField(
        max_length=MAX_TITLE, validators=[check_shown], label=gettext_lazy("Title")
    )


class NameForm(forms.Form):
    """The name of a folder or preset, which no other of the person's may have."""

    name = forms.CharField(
        max_length=MAX_NAME,
        validators=[check_shown],
        label=gettext_lazy("Name"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, others: QuerySet[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._others = others

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if self._others.filter(name=name).exists():
            raise ValidationError(_("There is one named “%(name)s” already.") % {"name": name})
        return name
