"""How many cells of the KV cache each sequence holds."""


class KvCache:
    """Counts cells: one for each token of a sequence, out of a pool that all share.

    Pure bookkeeping; the cells themselves are the backend's.
    """

    def __init__(self, num_cells: int) -> None:
        self.num_cells = num_cells
        self.num_used = 0
        self._held: dict[int, int] = {}

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

    def release(self, slot: int) -> None:
        self.num_used -= self._held.pop(slot, 0)
