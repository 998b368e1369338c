"""What one socket has been told of one answer, and what it still has to be told."""

import time
from collections.abc import Iterator
from typing import Any

PARTS = {"delta": "text", "reasoning": "reasoning"}
MOST_AT_ONCE = 100_000  # characters of one frame: servers refuse to send very large ones

Frame = dict[str, Any]


class Follower:
    """One answer on its way to one socket: gaps are found, and overlaps cut.

    `ids` are in every frame. While it is behind, pieces are not told: `catch_up` is due.
    """

    def __init__(
        self, ids: Frame, seq: int = 0, reasoning_seq: int = 0, *, is_behind: bool = False
    ) -> None:
        self.ids = ids
        self.is_behind = is_behind
        self.heard_at = time.monotonic()
        self._seqs = {"reasoning": reasoning_seq, "delta": seq}

    @property
    def seqs(self) -> tuple[int, int]:
        """How much the socket has of the reasoning, and of the text, in characters."""
        return self._seqs["reasoning"], self._seqs["delta"]

    def take(self, frame: Frame) -> list[Frame]:
        """The frames to send for a piece that was told; none, if it shows that some is missing."""
        type, text = frame["type"], frame["text"]
        start, seq = frame["seq"] - len(text), self._seqs[type]
        if self.is_behind or start > seq:
            self.is_behind = True
            return []
        return [*self._told(type, text[seq - start :])]

    def cut(self, reasoning_seq: int, seq: int) -> list[Frame]:
        """A socket may have more than there is: its writer's process died before it kept that."""
        had, self._seqs["reasoning"] = self.seqs, min(self._seqs["reasoning"], reasoning_seq)
        self._seqs["delta"] = min(self._seqs["delta"], seq)
        if had == self.seqs:
            return []
        reasoning_seq, seq = self.seqs
        return [{"type": "cut", "seq": seq, "reasoning_seq": reasoning_seq, **self.ids}]

    def catch_up(self, reasoning: str, text: str) -> list[Frame]:
        """The frames that bring the socket to where the answer is."""
        self.is_behind = False
        reasoning_seq, seq = self.seqs
        return [
            *self._told("reasoning", reasoning[reasoning_seq:]),
            *self._told("delta", text[seq:]),
        ]

    def _told(self, type: str, text: str) -> Iterator[Frame]:
        for start in range(0, len(text), MOST_AT_ONCE):
            piece = text[start : start + MOST_AT_ONCE]
            self._seqs[type] += len(piece)
            yield {"type": type, "seq": self._seqs[type], "text": piece, **self.ids}
