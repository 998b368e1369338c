"""What people set for a conversation."""

from typing import Any, Self

from django import forms
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy

from chat.models import Conversation
from chat.parameters import NAMES, sampling
from inference.runtime import InvalidParameter, SamplingParams

DEFAULTS = SamplingParams()
MAX_SYSTEM_PROMPT = 100_000


class StopField(forms.CharField):
    """Texts, one a line."""

    widget = forms.Textarea(attrs={"rows": 2})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:
        return [line for line in super().clean(value).splitlines() if line]


def _number(label: Any, low: float, high: float, step: str, help_text: Any = "") -> forms.Field:
    """Django says in the reader's language what is out of range, and tells the browser."""
    attrs = {"step": step, "inputmode": "decimal"}
    field: Any = forms.IntegerField if step == "1" else forms.FloatField
    made: forms.Field = field(
        label=label,
        required=False,
        min_value=low,
        max_value=high,
        help_text=help_text,
        widget=forms.NumberInput(attrs=attrs),
    )
    return made


class SettingsForm(forms.Form):
    """The system prompt, and those of the parameters that are not left to the server."""

    system_prompt = forms.CharField(
        label=gettext_lazy("System prompt"),
        required=False,
        max_length=MAX_SYSTEM_PROMPT,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("What the model is told before the conversation."),
    )
    temperature = _number(
        gettext_lazy("Temperature"), 0, 2, "0.05", gettext_lazy("0: always the likeliest word.")
    )
    max_tokens = _number(
        gettext_lazy("Most tokens of an answer"),
        1,
        2**31 - 1,
        "1",
        gettext_lazy("Empty: no limit."),
    )
    top_p = _number(gettext_lazy("Top p"), 0, 1, "0.01")
    top_k = _number(gettext_lazy("Top k"), 0, 2**31 - 1, "1")
    min_p = _number(gettext_lazy("Min p"), 0, 1, "0.01")
    repeat_penalty = _number(gettext_lazy("Repeat penalty"), 0, 10, "0.05")
    presence_penalty = _number(gettext_lazy("Presence penalty"), -2, 2, "0.1")
    frequency_penalty = _number(gettext_lazy("Frequency penalty"), -2, 2, "0.1")
    seed = _number(
        gettext_lazy("Seed"),
        -(2**63),
        2**63 - 1,
        "1",
        gettext_lazy("The same seed, the same answer."),
    )
    stop = StopField(
        label=gettext_lazy("Stop texts"),
        required=False,
        help_text=gettext_lazy("One a line: the answer ends before the first of them."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in NAMES:
            attrs = self.fields[name].widget.attrs
            attrs["data-parameter"] = name
            default = getattr(DEFAULTS, name)
            if isinstance(default, int | float):
                attrs["placeholder"] = number_format(default)

    @classmethod
    def of(cls, conversation: Conversation | None) -> Self:
        if conversation is None:
            return cls()
        prompt = {"system_prompt": conversation.system_prompt}
        return cls(initial=conversation.parameters | prompt)

    @property
    def often(self) -> list[forms.BoundField]:
        return [self[name] for name in ("system_prompt", "temperature", "max_tokens")]

    @property
    def seldom(self) -> list[forms.BoundField]:
        often = {field.name for field in self.often}
        return [field for field in self if field.name not in often]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                sampling(self.parameters)
            except InvalidParameter as error:
                name = (error.param or "").removeprefix("parameters.")
                self.add_error(name if name in NAMES else None, str(error))
        return data

    @property
    def parameters(self) -> dict[str, Any]:
        """Of a form whose fields are clean."""
        given = {name: self.cleaned_data.get(name) for name in NAMES}
        return {name: value for name, value in given.items() if value not in (None, [])}

    def save_to(self, conversation: Conversation) -> None:
        conversation.system_prompt = self.cleaned_data["system_prompt"]
        conversation.parameters = self.parameters
        conversation.save(update_fields=["system_prompt", "parameters"])
