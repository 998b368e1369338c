"""Brings `locale/` up to date with the sources: `make messages`. Needs Babel and Django only.

New texts come without a translation, changed and removed ones go, and what is translated
is compiled to what Django reads.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale"
LANGUAGES = ["de"]
SOURCES = ["accounts/**/*.py", "chat/**/*.py", "templates/**/*.html", "templates/**/*.txt"]
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def messages() -> Iterator[tuple[str, Any, str | None]]:
    """Every text of the sources: its file, itself (a pair if it has a plural), its context."""
    files = {path for pattern in SOURCES for path in ROOT.glob(pattern)}
    for path in sorted(files):
        name = path.relative_to(ROOT).as_posix()
        for _, message, _, context in extract("python", io.BytesIO(_as_python(path)), KEYWORDS):
            yield name, message, context


def _as_python(path: Path) -> bytes:
    """Of a template, the calls that its tags are; indentation would mean something."""
    text = path.read_text()
    if path.suffix != ".py":
        text = "\n".join(line.strip() for line in templatize(text).splitlines())
    return text.encode()


def template_catalog() -> Catalog:
    catalog = Catalog()
    for name, message, context in messages():
        catalog.add(message, locations=[(name, 0)], context=context)
    return catalog


def catalog_of(language: str) -> Catalog:
    with _file(language, "po").open("rb") as file:
        return read_po(file, locale=language)


def _file(language: str, suffix: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / f"django.{suffix}"


def main() -> None:
    template = template_catalog()
    for language in LANGUAGES:
        catalog = catalog_of(language)
        template.creation_date = catalog.creation_date  # or every run would be a change
        catalog.update(template, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        with _file(language, "po").open("wb") as file:
            write_po(file, catalog, width=100, include_lineno=False)
        with _file(language, "mo").open("wb") as file:
            write_mo(file, catalog)
        for message in catalog:
            if message.id and not all(_translations(message)):
                print(f"{language}: no translation of {message.id!r}")


def _translations(message: Message) -> list[str]:
    return list(message.string) if message.pluralizable else [message.string]


if __name__ == "__main__":
    main()
