"""Whose step it is: tokens and images, or different adapters, are never computed in one."""

from collections.abc import Sequence as List

from .request import Sequence

Lane = tuple[str, bool]  # an adapter, and whether an image comes next


class Lanes:
    """An adapter is set for a whole step, so the sequences of each take turns with the others.
    A step computes either tokens or an image's vectors, so those take turns, too.

    Every lane gets one step in turn, however many sequences it has: in a step of tokens all
    of them go on by one, so none is slower than another's.
    """

    def __init__(self) -> None:
        self._served: list[Lane] = []  # the one whose last step is longest ago comes first
        self._due: Lane | None = None

    def next(self, running: List[Sequence]) -> List[Sequence]:
        """Those of the lane whose turn it is, in their order; lanes that are new go first."""
        waiting = dict.fromkeys(map(_lane, running))
        if not waiting:
            return running
        served = [lane for lane in self._served if lane in waiting]
        chosen = next((lane for lane in waiting if lane not in served), None) or served[0]
        if self._due in waiting:
            chosen = self._due
        self._due = None
        self._served = [*(lane for lane in served if lane != chosen), chosen]
        return [s for s in running if _lane(s) == chosen]

    def again(self) -> None:
        """The last step was for one of them alone: the others are due before other lanes."""
        self._due = self._served[-1]


def _lane(sequence: Sequence) -> Lane:
    return sequence.request.adapter, sequence.span is not None
