"""What a model thinks before it answers, `<think>…</think>`, apart from the answer."""

_CLOSINGS = {"<think>": "</think>", "<thinking>": "</thinking>"}


class ThinkingSplitter:
    """Splits a streaming answer, wherever its pieces are cut.

    Only tags at the very start count, white space aside. `has_begun`: the prompt's
    template has written the opening tag already, and the answer comes without.
    `has_answered`: what comes goes on with an answer, whose thoughts are over.

    Attributes:
        answer_at: characters before the answer's first; None until there is one.
    """

    def __init__(self, *, has_begun: bool = False, has_answered: bool = False) -> None:
        self._closing = "</think>" if has_begun else ""
        self._has_begun_answer = has_answered
        self._held = ""  # what may yet turn out to be a tag
        self._num_read = 0
        self.answer_at: int | None = None

    def feed(self, text: str) -> tuple[str, str]:
        """What of the reasoning, and what of the answer, is known by now."""
        self._num_read += len(text)
        return self._noted(*self._split(text))

    def _split(self, text: str) -> tuple[str, str]:
        if self._has_begun_answer:
            return "", text
        text, self._held = self._held + text, ""
        return self._thought(text) if self._closing else self._begun(text)

    def finish(self) -> tuple[str, str]:
        """What was held back. A tag that was never closed makes all of it reasoning."""
        held, self._held = self._held, ""
        return self._noted(*((held, "") if self._closing else ("", held)))

    def _noted(self, thought: str, said: str) -> tuple[str, str]:
        if said and self.answer_at is None:
            self.answer_at = self._num_read - len(said)
        return thought, said

    def _begun(self, text: str) -> tuple[str, str]:
        stripped = text.lstrip()
        for opening, closing in _CLOSINGS.items():
            if stripped.startswith(opening):
                self._closing = closing
                return self._thought(stripped[len(opening) :])
        if any(opening.startswith(stripped) for opening in _CLOSINGS):
            self._held = text
            return "", ""
        self._has_begun_answer = True
        return "", text

    def _thought(self, text: str) -> tuple[str, str]:
        reasoning, closing, answer = text.partition(self._closing)
        if closing:
            self._has_begun_answer = True
            return reasoning, answer
        size = _overlap(text, self._closing)
        self._held = text[len(text) - size :]
        return text[: len(text) - size], ""


def split_thinking(text: str, *, has_begun: bool = False) -> tuple[str, str]:
    """The reasoning and the answer of a whole text."""
    splitter = ThinkingSplitter(has_begun=has_begun)
    fed, rest = splitter.feed(text), splitter.finish()
    return fed[0] + rest[0], fed[1] + rest[1]


def _overlap(text: str, tag: str) -> int:
    """How many of the tag's first characters the text ends with."""
    return next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)
