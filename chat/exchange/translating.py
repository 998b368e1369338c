"""What is said of a file, in the language of who asks."""

from django.utils.formats import number_format
from django.utils.translation import gettext

from .words import Words

NUMBERS = ("count", "most")


def translated(words: Words) -> str:
    facts = {name: _shown(name, fact) for name, fact in words.facts}
    return gettext(words.sentence) % facts


def _shown(name: str, fact: str | int) -> str | int:
    return number_format(fact, force_grouping=True) if name in NUMBERS else fact
