r"""Which blocks of a text that goes on can never change.

The parser goes from line to line and takes nothing back. Where a block ends it knows by
the next one's first line, and by the line after it, for that may make a table of both.
So a block is final if

- both these lines are complete: nothing that was looked at can change; or
- an empty line follows, and it is none of those that go on after one (lists, indented
  code); or
- it closes itself (a fence, a formula, a heading, a rule), unless its only line may
  yet head a table; or
- after an empty line begins a line that no list or indented code takes in: it is not
  indented, and whatever comes it will be no list item. (A paragraph often is one long
  line; the list before it should not be rendered with each of its words.)

and so are all blocks before it.
"""

import re

from .document import Element

# What is, or may become, a list item's beginning.
MARKER = re.compile(r"[-+*](?:[ \t]|\Z)|\d{1,9}(?:\Z|[.)](?:[ \t]|\Z))")
GOES_ON = {"bullet_list_open", "ordered_list_open", "code_block"}


def num_final(elements: list[Element], text: str) -> int:
    """How many of the elements, from the first, are final. `text` is what they were parsed from."""
    lines = text.split("\n")
    if elements and elements[-1].start == len(lines) - 1 and _ends_lists(lines):
        return len(elements) - 1
    for count in range(len(elements), 0, -1):
        following = elements[count].start if count < len(elements) else None
        if _is_final(elements[count - 1], following, lines):
            return count
    return 0


def _ends_lists(lines: list[str]) -> bool:
    last = lines[-1]
    is_after_empty = len(lines) > 1 and _is_empty(lines[-2])
    return is_after_empty and last[:1] not in ("", " ", "\t") and not MARKER.match(last)


def _is_final(element: Element, following: int | None, lines: list[str]) -> bool:
    num_complete = len(lines) - 1
    if following is not None and following + 2 <= num_complete:
        return True
    if element.end > num_complete:
        return False
    kind = element.tokens[0].type
    if element.end < num_complete and _is_empty(lines[element.end]) and kind not in GOES_ON:
        return True
    may_head_table = "|" in lines[element.start] and element.start + 2 > num_complete
    return _closes_itself(element) and not may_head_table


def _closes_itself(element: Element) -> bool:
    token = element.tokens[0]
    if token.type == "fence":
        return token.content.count("\n") == element.end - element.start - 2
    if token.type == "math_block":
        return bool(token.meta["is_closed"])
    return token.type == "hr" or (token.type == "heading_open" and token.markup[0] == "#")


def _is_empty(line: str) -> bool:
    return not line.strip(" \t")
