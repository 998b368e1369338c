"""How many cells of the KV cache each sequence holds."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Shared:
    """The first cells of several slots, which are the same ones."""

    num_cells: int
    slots: set[int] = field(default_factory=set)


class KvCache:
    """Counts cells: one for each token of a sequence, out of a pool that all share.

    Slots whose sequences begin with the same tokens may share the cells of those,
    which are counted once, and free when the last of the slots lets them go. Pure
    bookkeeping; the cells themselves are the backend's.
    """

    def __init__(self, num_cells: int) -> None:
        self.num_cells = num_cells
        self.num_used = 0
        self._held: dict[int, int] = {}  # tokens of a slot, those in shared cells too
        self._shared: dict[int, _Shared] = {}  # by slot

    @property
    def num_free(self) -> int:
        return self.num_cells - self.num_used

    def try_hold(self, slot: int, num_tokens: int) -> bool:
        """Let the slot hold `num_tokens` in all; False, and no change, if too few are free."""
        more = num_tokens - self._held.get(slot, 0)
        if more > self.num_free:
            return False
        self._held[slot] = num_tokens
        self.num_used += more
        return True

    def share(self, source: int, slot: int, num_tokens: int) -> None:
        """Let an empty slot begin with the first cells of another one.

        Slots that share do so with the same number of cells.
        """
        assert slot not in self._held
        assert num_tokens <= self._held[source]
        shared = self._shared.setdefault(source, _Shared(num_tokens, {source}))
        assert shared.num_cells == num_tokens
        shared.slots.add(slot)
        self._shared[slot] = shared
        self._held[slot] = num_tokens

    def release(self, slot: int) -> None:
        self.num_used -= self._held.pop(slot, 0)
        if shared := self._shared.pop(slot, None):
            shared.slots.remove(slot)
            if shared.slots:  # others keep them
                self.num_used += shared.num_cells
