"""Checks an answer while it is streamed."""

from collections.abc import Callable

from .base import Denied

STEP = 64  # characters between two checks
LONG = 128  # an answer is checked at most so often while it doubles


class AnswerFilter:
    """Lets out what a check makes of an answer, as far as that can change no more.

    The check sees the whole answer so far, as it would see a complete one. Of its
    result the last `window` characters wait for what may still come: what it acts on
    can be that long. Does it change more than that, the stream ends with Denied,
    since what was sent cannot be taken back.
    """

    def __init__(self, check: Callable[[str], str], window: int, step: int = STEP) -> None:
        self._check = check
        self._window = window
        self._step = step
        self._parts: list[str] = []
        self._length = 0
        self._due = window + step  # the length at which it is checked again
        self._sent = ""

    def feed(self, text: str) -> str:
        """What may be sent now that this has come.

        Raises:
            Denied, ValidatorFailed: nothing more may be sent.
        """
        self._parts.append(text)
        self._length += len(text)
        if self._length < self._due:
            return ""
        self._due = self._length + max(self._step, self._length // LONG)
        return self._let_out(self._window)

    def finish(self) -> str:
        """The rest. Raises as `feed` does."""
        return self._let_out(0)

    def _let_out(self, num_held: int) -> str:
        self._parts = ["".join(self._parts)]
        checked = self._check(self._parts[0])
        if not checked.startswith(self._sent):
            raise Denied("The answer is withheld from here on by this site's validators.")
        start, end = len(self._sent), max(len(self._sent), len(checked) - num_held)
        self._sent = checked[:end]
        return checked[start:end]
