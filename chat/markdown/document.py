"""A text as its top-level blocks, each of which becomes HTML by itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it.token import Token

from .code import ENGLISH, MAX_HIGHLIGHTED, Labels
from .parser import make_parser
from .sanitizer import sanitize

_PARSER = make_parser()
_SURROGATES = re.compile("[\ud800-\udfff]")  # halves of characters, which UTF-8 cannot carry
_NEWLINES = re.compile(r"\r\n?")


@dataclass(frozen=True)
class Element:
    """A top-level block: its tokens, and its lines from `start` to before `end`."""

    tokens: list[Token]
    start: int
    end: int


def render(text: str, num_citations: int = 0) -> str:
    """`[1]` to `[num_citations]` become links to the attachments of these numbers."""
    elements = parse(normalized(text), num_citations)
    return "".join(to_html([element]) for element in elements)


def normalized(text: str) -> str:
    return _SURROGATES.sub("\ufffd", _NEWLINES.sub("\n", text))


def parse(text: str, num_citations: int) -> list[Element]:
    tokens = _PARSER.parse(text, {"num_citations": num_citations})
    return list(_elements(tokens))


def to_html(
    elements: list[Element], max_highlighted: int = MAX_HIGHLIGHTED, labels: Labels = ENGLISH
) -> str:
    """Code beyond `max_highlighted` characters is left plain."""
    tokens = [token for element in elements for token in element.tokens]
    env = {"max_highlighted": max_highlighted, "labels": labels}
    return sanitize(_PARSER.renderer.render(tokens, _PARSER.options, env))


def _elements(tokens: list[Token]) -> Iterator[Element]:
    begun = 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0 and token.type != "inline":
            lines = tokens[begun].map
            assert lines is not None  # the parser's blocks all know their lines
            yield Element(tokens[begun : index + 1], lines[0], lines[1])
            begun = index + 1
