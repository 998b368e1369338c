"""What is said of a file: its reader knows the facts, and not the language of who asks."""

from typing import NamedTuple

from . import values

MAX_LENGTH = 500
Facts = tuple[tuple[str, str | int], ...]


class Words(NamedTuple):
    """A sentence with places for facts; `count` and `most` are numbers of things."""

    sentence: str
    facts: Facts = ()

    def __str__(self) -> str:
        return self.sentence % dict(self.facts)


def say(sentence: str, **facts: object) -> Words:
    """Known as `_`, so that sentences are found and translated."""
    shown = ((n, f if isinstance(f, int) else _short(str(f))) for n, f in facts.items())
    return Words(sentence, tuple(shown))


def gettext_noop(sentence: str) -> str:
    """One that is said further down; known by this name to what collects sentences."""
    return sentence


def _short(text: str) -> str:
    """A stranger's words may be of any length."""
    return values.text(text)[:MAX_LENGTH]
