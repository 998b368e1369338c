"""How many tokens of prompts a step computes while others decode."""

LEAST_TOKENS = 16
LARGEST_CHANGE = 1.5  # of one step to the next: a single slow one says little


class Tempo:
    """Finds the largest chunk whose steps take no longer than the target.

    Whoever decodes gets a token a step, so the target is the time between two tokens.
    """

    def __init__(self, start: int, *, most: int, target_seconds: float) -> None:
        self._most = most
        self._least = min(LEAST_TOKENS, start)
        self._target = target_seconds
        self._chunk = float(start)

    @property
    def chunk_tokens(self) -> int:
        return int(self._chunk)

    def note(self, num_tokens: int, seconds: float) -> None:
        """A step with so many tokens of prompts took so long."""
        if num_tokens != self.chunk_tokens or seconds <= 0 or not self._target:
            return  # it was no full one, or a prompt that went at once, or nobody wants to know
        change = min(max(self._target / seconds, 1 / LARGEST_CHANGE), LARGEST_CHANGE)
        self._chunk = min(max(self._chunk * change, self._least), self._most)
