"""How often something may happen: a token bucket. Pure: time is passed in."""


class Bucket:
    """Holds `size`, and gets `rate` more a second."""

    def __init__(self, size: float, rate: float, now: float) -> None:
        self._size = size
        self._rate = rate
        self._left = size
        self._at = now

    def take(self, now: float) -> bool:
        """Whether there is one left, which is then gone."""
        self._left = min(self._size, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
