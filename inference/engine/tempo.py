"""How many tokens of prompts a step computes while others decode."""

LEAST_TOKENS = 16
LARGEST_CHANGE = 1.5  # of one step to the next: a single slow one says little


class Tempo:
    """Finds the largest chunk whose steps take no longer than the target.

    Whoever decodes gets a token a step, so the target is the time between two tokens.
    `most_mixed` are the tokens of a step, prompts' and answers', that cost no more together
    than apart; 0: any number.
    """

    def __init__(
        self, start: int, *, most: int, target_seconds: float, most_mixed: int = 0
    ) -> None:
        self._most = most
        self._most_mixed = most_mixed
        self._least = min(LEAST_TOKENS, start)
        self._target = target_seconds
        self._chunk = float(start)

    @property
    def chunk_tokens(self) -> int:
        return int(self._chunk)

    def beside(self, num_tokens: int) -> int:
        """The chunk of a step with so many tokens of answers. If there are too many of them for
        more than a handful of others, they have to be mixed.
        """
        room = self._most_mixed - num_tokens
        return min(self.chunk_tokens, room) if room >= self._least else self.chunk_tokens

    def note(self, num_tokens: int, seconds: float) -> None:
        """A step with so many tokens of prompts took so long."""
        if not num_tokens or num_tokens > self.chunk_tokens or seconds <= 0 or not self._target:
            return  # there were none, or a prompt went at once, or nobody wants to know
        change = min(max(self._target / seconds, 1 / LARGEST_CHANGE), LARGEST_CHANGE)
        if num_tokens < self.chunk_tokens and change > 1:
            return  # a part of a chunk is quick
        least = max(self._least, self._chunk / LARGEST_CHANGE)
        self._chunk = min(max(num_tokens * change, least), self._most)
