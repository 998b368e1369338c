"""What a model writes, as HTML that may stand in our pages: whole, or while it streams.

CommonMark with tables, strikethrough, task lists, formulae and citations. Raw HTML is
shown as text, and so are reference definitions (`[1]: https://…`): one further down
would change blocks that were final.
"""

from .code import Labels
from .document import render
from .live import Block, LiveDocument

__all__ = ["Block", "Labels", "LiveDocument", "render"]
