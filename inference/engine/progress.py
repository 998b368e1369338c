"""How far a request is that has to wait for its text."""

from typing import Literal

import msgspec


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """Waiting for a place, or having its prompt computed.

    Attributes:
        position: how many enter before it; 0 is next.
        eta: seconds until it enters, in whole ones; None while nobody can tell.
        done: tokens that are computed,
        total: and that have to be, before it writes;
        cached: of those that are computed, the ones that were before.
    """

    kind: Literal["queued", "prefill"]
    position: int = 0
    eta: float | None = None
    done: int = 0
    total: int = 0
    cached: int = 0
