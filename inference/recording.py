"""Counts requests under the older service's metric names."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from prometheus_client import Counter, Histogram

from . import metrics
from .runtime import Finish, Outcome


@dataclass(frozen=True, slots=True)
class Kind:
    requests: Counter
    errors: Counter
    duration: Histogram
    tokens: Counter
    speed: Histogram


CHAT = Kind(
    metrics.CHAT_REQUESTS,
    metrics.CHAT_ERRORS,
    metrics.CHAT_DURATION,
    metrics.CHAT_TOKENS,
    metrics.CHAT_SPEED,
)
COMPLETIONS = Kind(
    metrics.COMPLETIONS_REQUESTS,
    metrics.COMPLETIONS_ERRORS,
    metrics.COMPLETIONS_DURATION,
    metrics.COMPLETIONS_TOKENS,
    metrics.COMPLETIONS_SPEED,
)


class Recorder:
    """Around a view: counts the request, and an error that the view raises.

    What happens to a stream after that is told to `observe`.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._started = time.monotonic()
        self._has_failed = False

    def __enter__(self) -> Self:
        self._kind.requests.inc()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            self._fail()

    def observe(self, outcome: Outcome) -> None:
        if not isinstance(outcome, Finish):
            self._fail()
            return
        usage, timings = outcome.usage, outcome.timings
        self._kind.duration.observe(time.monotonic() - self._started)
        self._kind.tokens.inc(usage.completion_tokens)
        if usage.completion_tokens > 1 and timings.decode > 0:
            self._kind.speed.observe((usage.completion_tokens - 1) / timings.decode)

    def _fail(self) -> None:
        """Once, though the view may raise what `observe` has heard of already."""
        if not self._has_failed:
            self._has_failed = True
            self._kind.errors.inc()
