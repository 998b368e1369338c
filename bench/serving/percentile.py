"""Of values that were measured."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The least of the values that so many percent are not above (the nearest rank).

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("there are no values")
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(1, rank) - 1]
