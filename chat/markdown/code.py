"""Code: a heading with its language and a button to copy it, and colours by CSS classes."""

import re
from html import escape
from typing import NamedTuple

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES

from .languages import LEXERS

# So that a page's own classes mean nothing inside code, and the other way round.
PREFIX = "hl-"
CLASSES = frozenset(PREFIX + name for name in STANDARD_TYPES.values() if name)

# Characters. What is longer is shown plain.
MAX_HIGHLIGHTED = 12_000
MAX_HIGHLIGHTED_OPEN = 8_000
# The lexers' expressions look ahead over words and space, across lines, from each word anew:
# what has a very long line, or many without a sign between the words, would take minutes.
UNLIKE_CODE = re.compile(r"^.{400}|^(?:[\w \t.\[\]]*\n){25}", re.MULTILINE)


class Labels(NamedTuple):
    """What a reader is told about code, in their language."""

    copy: str = "Copy"
    text: str = "text"  # where no language is named


ENGLISH = Labels()

LANGUAGE = re.compile(r"[\w+#.-]{1,24}", re.ASCII)


def block(source: str, info: str, max_highlighted: int, labels: Labels) -> str:
    """`info` is what follows the fence: a language, maybe, and what tools add to it."""
    language = LANGUAGE.match(info.strip())
    name = language[0] if language else ""
    # A page without scripts cannot copy: the script that can shows the button.
    return (
        f'<div class="md-code"><div class="md-code-head">'
        f'<span class="md-language">{escape(name or labels.text)}</span>'
        f'<button type="button" class="copy" hidden>{escape(labels.copy)}</button></div>'
        f"<pre><code>{_coloured(source, name.lower(), max_highlighted)}</code></pre></div>\n"
    )


def _coloured(source: str, language: str, max_highlighted: int) -> str:
    if language not in LEXERS or len(source) > max_highlighted or UNLIKE_CODE.search(source):
        return escape(source)
    lexer = get_lexer_by_name(LEXERS[language], stripnl=False)
    return highlight(source, lexer, HtmlFormatter(nowrap=True, classprefix=PREFIX))
