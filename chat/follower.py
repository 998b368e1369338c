"""What one socket has been told of one answer, and what it still has to be told."""

from typing import Any

PARTS = {"delta": "text", "reasoning": "reasoning"}

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
        return self._told(type, text[seq - start :])

    def catch_up(self, reasoning: str, text: str) -> list[Frame]:
        """The frames that bring the socket to where the answer is."""
        self.is_behind = False
        reasoning_seq, seq = self.seqs
        return [
            *self._told("reasoning", reasoning[reasoning_seq:]),
            *self._told("delta", text[seq:]),
        ]

    def _told(self, type: str, text: str) -> list[Frame]:
        if not text:
            return []
        self._seqs[type] += len(text)
        return [{"type": type, "seq": self._seqs[type], "text": text, **self.ids}]
