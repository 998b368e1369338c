"""LaTeX to MathML, of which only what cannot leave its place or name an address is kept."""

import re
from collections.abc import Iterator
from html import escape, unescape
from typing import Any

from latex2mathml.converter import convert_to_element

MAX_FORMULA = 4_000  # characters

# Macros can double themselves with every line.
MACRO = re.compile(r"\\(def|newcommand|newenvironment|DeclareMathOperator)")

TAGS = frozenset(
    (
        *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mstyle", "mpadded", "mphantom"),
        *("mfrac", "msqrt", "mroot", "menclose", "msub", "msup", "msubsup", "munder", "mover"),
        *("munderover", "mtable", "mtr", "mtd"),
    )
)
WORDS = frozenset(
    (
        *("display", "displaystyle", "scriptlevel", "mathvariant", "accent", "accentunder"),
        *("stretchy", "fence", "form", "separator", "largeop", "symmetric", "movablelimits"),
        *("columnalign", "columnlines", "rowlines", "notation"),
    )
)
LENGTHS = frozenset(
    (
        *("width", "height", "depth", "lspace", "rspace", "voffset", "minsize", "maxsize"),
        *("linethickness", "columnspacing", "rowspacing"),
    )
)
ATTRIBUTES = WORDS | LENGTHS

# Colours are left out, for what is readable depends on the page. Longer ones than these
# could paint over what surrounds the formula.
WORD = re.compile(r"[a-z0-9 -]{1,200}")
_LENGTH = (
    r"[+-]?(?:(?:[0-3]|(?=\.))(?:\.\d{1,4})?(?:em|ex|cm|in)|\d{1,2}(?:\.\d{1,4})?(?:pt|px|mm|mu)?)"
)
LENGTH = re.compile(rf"{_LENGTH}(?: {_LENGTH}){{0,40}}")


def to_mathml(latex: str, *, is_display: bool) -> str | None:
    """None for what is no formula, or none that can be drawn."""
    if len(latex) > MAX_FORMULA or MACRO.search(latex):
        return None
    try:
        display = "block" if is_display else "inline"
        return "".join(_written(convert_to_element(latex, display=display)))
    except Exception:  # the library's errors have no class in common, and include our stack's end
        return None


# Not by the library, which unescapes what it has written.
def _written(element: Any) -> Iterator[str]:
    attributes = "".join(
        f' {name}="{value}"' for name, value in element.attrib.items() if _is_kept(name, value)
    )
    yield f"<{element.tag}{attributes}>"
    yield escape(unescape(element.text or ""))
    for child in element:
        yield from _written(child)
    yield f"</{element.tag}>"


def _is_kept(name: str, value: str) -> bool:
    kind = WORD if name in WORDS else LENGTH
    return name in ATTRIBUTES and kind.fullmatch(value) is not None
