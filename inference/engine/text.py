"""From token bytes to text that a client may see."""

import codecs
from collections.abc import Sequence


class TextStream:
    """Decodes UTF-8 as it comes, and holds back what may turn out to be a stop string.

    What `feed` and `finish` return, joined, is the decoded text up to the stop string
    that completes first; of several that complete on one character, the longest counts.
    How the bytes were cut into pieces makes no difference. Bytes that are not UTF-8
    become U+FFFD, as with Python's `errors="replace"`, as soon as that is certain.

    Costs O(pieces' length) for each stop string, whatever the text: a stop string is
    matched character by character, and text is never looked at again.

    Args:
        opening: comes out before all else, and no stop string is looked for in it.

    Attributes:
        matched: the stop string that ended the text, once one did.
        num_decoded: characters that came in, whether they have come out or not.
    """

    def __init__(self, stop: Sequence[str] = (), opening: str = "") -> None:
        self.matched: str | None = None
        self.num_decoded = len(opening)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._matchers = [_Matcher(text) for text in sorted(stop, key=len, reverse=True)]
        self._held = opening

    @property
    def stopped(self) -> bool:
        """Whether a stop string ended the text: nothing will come out any more."""
        return self.matched is not None

    @property
    def is_within_character(self) -> bool:
        """Whether the bytes so far end within a character."""
        return bool(self._decoder.getstate()[0])

    def feed(self, piece: bytes, may_stop: bool = True) -> str:
        """Take the bytes of one token; return the text that is safe to send now.

        Without `may_stop`, stop strings that the piece completes are ordinary text;
        they may still begin in it and end the text later.
        """
        if self.stopped:
            return ""
        text = self._decoder.decode(piece)
        self.num_decoded += len(text)
        for index, char in enumerate(text if self._matchers else ""):
            complete = [m.stop for m in self._matchers if m.advance(char)]
            if complete and may_stop:
                return self._cut(self._held + text[: index + 1], complete[0])
        return self._release(self._held + text)

    def finish(self) -> str:
        """End the text; return what was held back, or nothing after a stop string.

        An incomplete character at the end is dropped: the limit that cut the answer
        also cut this character, and U+FFFD would report an error that there was not.
        """
        rest, self._held = self._held, ""
        return rest

    def _cut(self, text: str, stop: str) -> str:
        self.matched = stop
        self._held = ""
        return text.removesuffix(stop)

    def _release(self, text: str) -> str:
        num_held = max((m.num_matched for m in self._matchers), default=0)
        end = len(text) - num_held
        self._held = text[end:]
        return text[:end]


class _Matcher:
    """Knuth, Morris and Pratt's search: how much of one stop string the text ends in.

    Between characters `num_matched` is less than the stop string's length.
    """

    def __init__(self, stop: str) -> None:
        assert stop, "an empty stop string would match everywhere"
        self.stop = stop
        self.num_matched = 0
        self._borders = _borders(stop)

    def advance(self, char: str) -> bool:
        """Take the text's next character; return whether it completes the stop string."""
        while self.num_matched and self.stop[self.num_matched] != char:
            self.num_matched = self._borders[self.num_matched]
        if self.stop[self.num_matched] == char:
            self.num_matched += 1
        if self.num_matched < len(self.stop):
            return False
        self.num_matched = self._borders[self.num_matched]
        return True


def _borders(text: str) -> list[int]:
    """For each n, the length of the longest proper prefix of text[:n] that also ends it."""
    borders = [0, 0]
    for char in text[1:]:
        length = borders[-1]
        while length and text[length] != char:
            length = borders[length]
        borders.append(length + (text[length] == char))
    return borders
