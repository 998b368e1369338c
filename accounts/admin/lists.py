"""Lists of texts in forms, one a line."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget


class LinesField(forms.JSONField):
    """A JSON list of texts, edited one a line; no line: None."""

    def __init__(self, **options: Any) -> None:
        options["widget"] = UnfoldAdminTextareaWidget(attrs={"rows": 3})
        super().__init__(**options)
        self.help_text = f"{self.help_text} One a line."

    def to_python(self, value: Any) -> Any:
        lines = [line.strip() for line in (value or "").splitlines()]
        return [line for line in lines if line] or None

    def bound_data(self, data: Any, initial: Any) -> Any:
        return data

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or None) != self.to_python(data)
