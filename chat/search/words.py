"""What people type to search, taken apart: never an error, whatever it is.

`hello world` finds both words, `"hello world"` the phrase, `-draft` leaves out what has
that word. The last word may still be growing, so it stands for all that begin like it.
"""

import re
from dataclasses import dataclass

MAX_LENGTH = 200  # characters of a search that are read
MAX_TERMS = 12
TERM = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')
LETTER = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Term:
    """A word, or several that follow each other. There is no quotation mark in it."""

    text: str
    is_excluded: bool = False
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    terms: tuple[Term, ...]

    @property
    def wanted(self) -> list[Term]:
        return [term for term in self.terms if not term.is_excluded]

    @property
    def excluded(self) -> list[Term]:
        return [term for term in self.terms if term.is_excluded]


def parse(text: str) -> Query:
    """The terms; none if there is no word in it, or nothing but excluded ones."""
    text = text[:MAX_LENGTH].encode(errors="replace").decode().replace("\0", " ")
    found = [_term(match, text) for match in TERM.finditer(text)]
    terms = tuple(term for term in found if LETTER.search(term.text))[:MAX_TERMS]
    return Query(terms if any(not term.is_excluded for term in terms) else ())


def _term(match: re.Match[str], text: str) -> Term:
    minus, phrase, bare = match.groups()
    is_growing = match.end() == len(text) and not text.endswith('"')
    return Term(phrase or bare or "", bool(minus), is_growing and not minus)
