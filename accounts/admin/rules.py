"""Which rules hold for somebody, and whose they are."""

from collections.abc import Iterable

from django.template.loader import render_to_string

from accounts.models import Policy
from accounts.plain_words import rules
from accounts.policy import EffectivePolicy


def rules_table(levels: Iterable[Policy]) -> str:
    """As HTML: the rules of every level that has some, under its name."""
    named = [(level, rules(EffectivePolicy([level]))) for level in levels]
    context = {"levels": [(level, texts) for level, texts in named if texts]}
    return render_to_string("admin/accounts/rules.html", context)
