"""Whether an answer is the text that the model writes alone, uncached."""

import base64
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

TIE_LOGITS = 0.1
REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Step:
    """A token of the text written alone: its bytes, and those of the tokens next to it in
    likelihood, the likeliest first, with what their logits are below its own.
    """

    piece: bytes
    rivals: tuple[tuple[bytes, float], ...]

    @classmethod
    def of(cls, written: dict[str, Any]) -> "Step":
        rivals = tuple((base64.b64decode(raw), margin) for raw, margin in written["rivals"])
        return cls(base64.b64decode(written["piece"]), rivals)


class Verdict(Enum):
    EQUAL = auto()
    TIE = auto()
    DIFFER = auto()


@dataclass(slots=True)
class Tally:
    """How often; and the widest margin of a rival that was taken."""

    equal: int = 0
    tie: int = 0
    differ: int = 0
    widest: float = 0.0

    def add(self, verdict: Verdict, margin: float) -> None:
        self.equal += verdict is Verdict.EQUAL
        self.tie += verdict is Verdict.TIE
        self.differ += verdict is Verdict.DIFFER
        self.widest = max(self.widest, margin)

    def __str__(self) -> str:
        counts = f"{self.equal} / {self.tie} / {self.differ}"
        return counts + (f" (margin {self.widest:.3f})" if self.widest else "")


def compare(text: str, alone: list[Step], tie: float = TIE_LOGITS) -> tuple[Verdict, float]:
    """The verdict, and the margin of the rival that was taken where the texts part.

    It is 0 where they do not, and at least that much where the rival is not among those
    that are known. They may part only where a rival within `tie` has been taken. White
    space at the ends does not count: some servers cut it off. Nor do bytes that are no
    characters, which servers replace in different ways.
    """
    served = text.replace(REPLACEMENT, "").strip()
    texts = list(_texts(alone))
    written = "".join(piece for piece, _ in texts)
    if served == written.strip():
        return Verdict.EQUAL, 0.0
    at = len(written.lstrip()) - len(written)  # of what is served; below 0 in what was cut off
    taken: dict[int, float] = {}  # margins of rivals that may have been, by their ends
    for piece, rivals in texts:
        for rival, margin in rivals:
            if _goes_on(served, at, rival):
                end = at + max(1, len(rival))
                taken[end] = min(margin, taken.get(end, margin))
        if not _goes_on(served, at, piece):
            # The rival may begin with the token itself, and part from the text behind it.
            margins = [margin for end, margin in taken.items() if end > at]
            least = min(margins, default=max((m for _, m in rivals), default=0.0))
            is_tie = bool(margins) and least <= tie
            return (Verdict.TIE if is_tie else Verdict.DIFFER), least
        at += len(piece)
    return Verdict.DIFFER, 0.0


def _texts(alone: list[Step]) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """Of each step the text that it completes, and what its rivals would."""
    decoder = getincrementaldecoder("utf-8")("ignore")

    def decoded(raw: bytes) -> str:
        return decoder.decode(raw).replace(REPLACEMENT, "")

    for step in alone:
        before, rivals = decoder.getstate(), []
        for raw, margin in step.rivals:
            rivals.append((decoded(raw), margin))
            decoder.setstate(before)
        yield decoded(step.piece), rivals


def _goes_on(served: str, at: int, piece: str) -> bool:
    return served.startswith(piece[max(0, -at) :], max(0, at))
