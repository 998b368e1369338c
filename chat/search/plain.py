"""A piece of a model's Markdown as a line of plain text: what would not be read is left out.

It may begin and end anywhere, and what was found in it is marked by the characters 2 and 3,
which stay where they are. User's texts are not Markdown.
"""

import re

SIGNS = (
    (re.compile(r"!?\[([^\]\n]*)\]\([^)\n\2]*\)"), r"\1"),  # links, without where they lead
    (re.compile(r"^[ \t]*(?:```|~~~)[\w+#.-]*[ \t]*$", re.MULTILINE), ""),  # fences
    (re.compile(r"`+"), ""),
    (re.compile(r"^[ \t]*(?:#{1,6}|>|[-*+])[ \t]+", re.MULTILINE), ""),  # headings, quotes, lists
    (re.compile(r"^[ \t]*\|?[ \t:]*-{2,}[-| \t:]*$", re.MULTILINE), ""),  # under a table's head
    (re.compile(r"^[ \t]*\||\|[ \t]*$", re.MULTILINE), ""),
    (re.compile(r"(?<![\w*])\*{1,3}(?=[^\s*])|(?<=[^\s*])\*{1,3}(?![\w*])"), ""),  # emphasis
    (re.compile(r"~~"), ""),
)
SPACE = re.compile(r"\s+")


def plain(markdown: str) -> str:
    for sign, instead in SIGNS:
        markdown = sign.sub(instead, markdown)
    return SPACE.sub(" ", markdown).strip()
