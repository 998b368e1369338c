"""`[2]` leads to the second attachment, if there are as many."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

# `[2](…)` is a link that is called 2.
CITATION = re.compile(r"\[([1-9]\d{0,2})\](?!\()")


def plugin(parser: MarkdownIt) -> None:
    parser.inline.ruler.before("link", "citation", citation)


def citation(state: StateInline, silent: bool) -> bool:
    # Silently the parser looks for a link's end: in a link a citation is mere text.
    if silent or state.linkLevel:
        return False
    found = CITATION.match(state.src, state.pos, state.posMax)
    if not found or int(found[1]) > state.env["num_citations"]:
        return False
    state.push("citation", "a", 0).content = found[1]
    state.pos = found.end()
    return True


def link(number: str) -> str:
    return f'<a class="cite" href="#attachment-{number}">[{number}]</a>'
