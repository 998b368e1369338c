r"""Formulae: `$a$`, `\(a\)` in a line, `$$a$$`, `\[a\]` in it or on lines of their own."""

import re
from html import escape

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from .mathml import to_mathml

# None can begin inside another of its kind, or `\(\(\(…` would be searched from each of
# its places. Money is no formula: a `$` between a digit and it, or space inside it, ends none.
INLINE = re.compile(
    r"""
      \$\$ (?P<double> (?: \\. | [^\\$] | \$(?!\$) ){1,4000} ) \$\$
    | (?<!\d) \$ (?![\s$]) (?P<single> (?: \\. | [^\\$] ){1,1000} ) (?<!\s) \$ (?!\d)
    | \\\( (?P<round> (?: \\[^()] | [^\\] ){1,4000} ) \\\)
    | \\\[ (?P<square> (?: \\[^][] | [^\\] ){1,4000} ) \\\]
    """,
    re.VERBOSE | re.DOTALL,
)
CLOSERS = {"$$": "$$", r"\[": r"\]"}
# What a sentence puts behind its formula goes into it.
ENDS = {
    opener: re.compile(rf"{re.escape(closer)}[ \t]*([.,;:]?)[ \t]*\Z")
    for opener, closer in CLOSERS.items()
}


def plugin(parser: MarkdownIt) -> None:
    parser.inline.ruler.before("escape", "math_inline", math_inline)
    interrupted: RuleOptionsType = {"alt": ["paragraph", "blockquote", "list"]}
    parser.block.ruler.before("fence", "math_block", math_block, interrupted)


def math_inline(state: StateInline, silent: bool) -> bool:
    found = INLINE.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content, token.markup = found[found.lastgroup or 0], found[0]
        token.meta = {"is_display": found.lastgroup in ("double", "square")}
    state.pos = found.end()
    return True


def math_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """From a line that opens a formula to one that closes it, or to an empty one.

    It reads no further, and what it began it never takes back: that is why blocks can be
    final while a text streams (see `finality`).
    """
    opener, first = _line(state, start)[:2], _line(state, start)[2:]
    if opener not in CLOSERS or state.is_code_block(start):
        return False
    if CLOSERS[opener] in first and not _closes_once(first, opener):
        return False
    if not silent:
        _push(state, opener, _last_line(state, start, end, opener), start)
    return True


def inline(token: Token) -> str:
    mathml = to_mathml(token.content, is_display=token.meta["is_display"])
    return mathml or f"<code>{escape(token.markup)}</code>"


def block(token: Token) -> str:
    mathml = to_mathml(token.content, is_display=True) if token.meta["is_closed"] else None
    if mathml:
        return f'<div class="md-formula">{mathml}</div>\n'
    return f'<pre class="md-formula"><code>{escape(token.meta["source"])}</code></pre>\n'


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _closes_once(text: str, opener: str) -> bool:
    return text.count(CLOSERS[opener]) == 1 and ENDS[opener].search(text) is not None


def _last_line(state: StateBlock, start: int, end: int, opener: str) -> int:
    """The line after the formula's."""
    if ENDS[opener].search(_line(state, start)[2:]):
        return start + 1
    for line in range(start + 1, end):
        if state.isEmpty(line) or state.sCount[line] < state.blkIndent:
            return line
        if ENDS[opener].search(_line(state, line)):
            return line + 1
    return end


def _push(state: StateBlock, opener: str, after: int, start: int) -> None:
    source = state.getLines(start, after, state.blkIndent, False).strip()
    closing = ENDS[opener].search(source, 2)
    token = state.push("math_block", "math", 0)
    token.map = [start, after]
    token.content = source[2 : closing.start()] + closing[1] if closing else source[2:]
    token.meta = {"is_closed": closing is not None, "source": source}
    state.line = after
