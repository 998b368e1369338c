"""The catalogue has every text that people read, and each of its translations fits."""

import ast
import io
import re
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.mofile import write_mo
from django.template.base import Lexer, TokenType

from scripts import messages

ROOT = Path(__file__).resolve().parent.parent
# The administration is in English.
TEMPLATES = [p for p in ROOT.glob("templates/**/*.*") if p.parts[-2] != "icons"]
TEMPLATES = [p for p in TEMPLATES if "admin" not in p.relative_to(ROOT).parts]
PAGES = [*ROOT.glob("accounts/pages/*.py"), *ROOT.glob("chat/pages/*.py"), ROOT / "chat/naming.py"]
CATALOG = messages.catalog_of("de")
ENTRIES = [message for message in CATALOG if message.id]

# Names, keys of a keyboard, units, and what is typed as it stands.
NO_WORDS = {"llmsite", "Shift", "Enter", "Esc", "UTC", "manage.py createsuperuser", "I"}
NO_WORDS |= {"O", "K", "B", "L"}
READ = {"aria-label", "title", "alt", "placeholder", "label", "data-copied", "data-select"}
PRINTF = re.compile(r"%(?:\((\w+)\))?[a-z%]")


def strings(message) -> list[str]:
    return list(message.string) if message.pluralizable else [message.string]


def ids(message) -> list[str]:
    return list(message.id) if message.pluralizable else [message.id]


# --- the catalogue


def test_every_text_of_the_sources_is_in_the_catalogue_and_no_other():
    found = {(m.id, m.context) for m in messages.template_catalog() if m.id}
    assert {(m.id, m.context) for m in ENTRIES} == found


def test_every_translation_is_there_and_was_looked_at():
    assert [m.id for m in ENTRIES if m.fuzzy or not all(strings(m))] == []


def test_every_translation_has_the_placeholders_of_its_text():
    assert [
        m.id for m in ENTRIES if not parts(placeholders, strings(m)) <= parts(placeholders, ids(m))
    ] == []


def test_every_translation_has_the_elements_of_its_text():
    assert [m.id for m in ENTRIES if parts(elements, strings(m)) != parts(elements, ids(m))] == []


def test_people_are_addressed_by_du():
    """At the beginning of a sentence it may be “they”."""
    polite = re.compile(r"(?<!^)(?<![.!?:]\s)\b(Sie|Ihr|Ihre[mnrs]?|Ihnen)\b")
    assert [m.id for m in ENTRIES if polite.search(" ".join(strings(m)))] == []


def parts(of, texts):
    return {frozenset(of(text)) for text in texts}


def elements(text: str) -> list[str]:
    return re.findall(r"</?[a-z][^>]*>", text)


def placeholders(text: str) -> list[str]:
    return [*PRINTF.findall(text), *(name for _, name, _, _ in Formatter().parse(text) if name)]


def test_what_is_compiled_is_what_is_written():
    compiled = io.BytesIO()
    write_mo(compiled, CATALOG)
    assert (messages.LOCALE / "de/LC_MESSAGES/django.mo").read_bytes() == compiled.getvalue()


# --- templates


class Words(HTMLParser):
    """Collects what people read of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self._open.append(tag)
        self.found += [value for name, value in attrs if name in READ and value]

    def handle_endtag(self, tag):
        while tag in self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if "pre" not in self._open:
            self.found.append(data)


def words_of(source: str) -> list[str]:
    """What a template says in no other language: its texts, and strings in its tags."""
    words = Words()
    words.feed("".join(outside_tags(source)))
    texts = [" ".join(re.sub(r"&\w+;", "", text).split()) for text in words.found]
    strings = chain.from_iterable(map(strings_in, Lexer(source).tokenize()))
    bare = [text.strip("·() ") for text in [*texts, *strings]]
    return [text for text in bare if re.search(r"[^\W\d_]", text)]


# What is not said: translations, comments, and values of attributes.
ENDS = {
    "blocktranslate": "endblocktranslate",
    "comment": "endcomment",
    "block body_class": "endblock",
    "block body_attributes": "endblock",
    "block viewport": "endblock",
}


def outside_tags(source: str):
    end = ""
    for token in Lexer(source).tokenize():
        is_tag = token.token_type == TokenType.BLOCK
        if end:
            end = "" if is_tag and token.contents == end else end
        elif is_tag:
            first = [name for name in ENDS if f"{token.contents} ".startswith(f"{name} ")]
            end = ENDS[first[0]] if first else ""
        elif token.token_type == TokenType.TEXT:
            yield token.contents


DEFAULT = re.compile(r"""\|default(?:_if_none)?:"([^"]*)\"""")
GIVEN = {
    "firstof": re.compile(r"""(?<!_\()(?<!:)"([^"]*)\""""),
    "include": re.compile(r"""label="([^"]*)\""""),
}


def strings_in(token) -> list[str]:
    """Those that may be shown: what `firstof`, `include … with` and `default` give."""
    if token.token_type == TokenType.VAR:
        return DEFAULT.findall(token.contents)
    given = GIVEN.get(token.contents.split(" ")[0])
    return given.findall(token.contents) if given else []


@pytest.mark.parametrize(
    "path", TEMPLATES, ids=lambda p: p.relative_to(ROOT / "templates").as_posix()
)
def test_a_template_says_nothing_that_cannot_be_translated(path):
    assert set(words_of(path.read_text())) <= NO_WORDS


@pytest.mark.parametrize(
    "source",
    [
        "<p>Hello</p>",
        "<p>{{ n }} left</p>",
        '<a aria-label="Close">×</a>',
        '{% firstof name "nobody" %}',
        '{{ name|default:"nobody" }}',
        '{% include "field.html" with label="Name" %}',
    ],
)
def test_what_cannot_be_translated_is_seen(source):
    assert words_of(source)


# --- pages' Python

SAYING = {"ValidationError", "add_error", "success", "said", "_back", "BadFile"}


def unmarked(tree: ast.AST) -> list[str]:
    """Sentences and labels that are given as they stand."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    given = [
        *(
            word.value
            for call in calls
            for word in call.keywords
            if word.arg in {"label", "help_text"}
        ),
        *(word for call in calls if name_of(call.func) in SAYING for word in call.args),
    ]
    return [ast.unparse(word) for word in given if is_sentence(word)]


def name_of(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


def is_sentence(word: ast.expr) -> bool:
    if isinstance(word, ast.Constant):
        return isinstance(word.value, str) and word.value[:1].isupper()
    return isinstance(word, ast.JoinedStr)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_page_says_nothing_that_cannot_be_translated(path):
    assert unmarked(ast.parse(path.read_text())) == []


def test_an_unmarked_sentence_is_seen():
    source = 'CharField(label="Name", help_text=f"a {b}")\nadd_error("x", "Give it.")'
    assert len(unmarked(ast.parse(source))) == 3


# --- scripts


@pytest.mark.parametrize("path", [*ROOT.glob("static/js/**/*.js")], ids=lambda p: p.name)
def test_a_script_says_only_what_its_page_gave_it(path):
    code = re.sub(r"(?m)//.*$", "", path.read_text())
    said = re.findall(
        r"""(?:textContent|innerText|aria-label"|title)\s*[=,]\s*["'`]([^"'`$]*)""", code
    )
    assert not [text for text in said if re.search(r"[^\W\d_]", text)]
