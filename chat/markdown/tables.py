"""Tables: aligned by attribute, and with few more cells than were written.

The library aligns by inline styles, which are none of a strict page's, and completes
rows: 1,800 characters could make 65,000 empty cells.
"""

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block import table as library_table
from markdown_it.rules_core import StateCore

MAX_COMPLETED = 1_000  # cells of a table; it ends before the row that would need more


def plugin(parser: MarkdownIt) -> None:
    parser.block.ruler.at("table", table, {"alt": ["paragraph", "reference"]})
    parser.core.ruler.after("block", "table_alignment", alignment)


def table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if not library_table(state, start, end, True):
        return False
    return silent or library_table(state, start, _bounded(state, start, end), False)


def alignment(state: StateCore) -> None:
    for token in state.tokens:
        if style := token.attrs.pop("style", None):
            token.attrs["align"] = str(style).removeprefix("text-align:")


def _bounded(state: StateBlock, start: int, end: int) -> int:
    """The line before which the table ends, if not of itself before."""
    num_columns = _num_bars(state, start + 1)
    num_completed = 0
    for line in range(start + 2, end):
        if state.isEmpty(line):
            return line
        num_completed += max(0, num_columns - _num_bars(state, line))
        if num_completed > MAX_COMPLETED:
            return line
    return end


def _num_bars(state: StateBlock, line: int) -> int:
    return state.src.count("|", state.bMarks[line], state.eMarks[line])
