"""Why a file cannot be imported."""

from .words import Words, say


class BadFile(Exception):
    """`words` say what is wrong, and where; nothing of the file was imported."""

    def __init__(self, words: Words | str) -> None:
        self.words = say("%(text)s", text=words) if isinstance(words, str) else words
        super().__init__(str(self.words))
