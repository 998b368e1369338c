"""What many answers come to: rates, times, ratios."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .percentile import percentile
from .workload import Measured


@dataclass(frozen=True, slots=True)
class Summary:
    """All rounds of one server under one workload. Times in seconds; None: not known.

    Answers of all rounds are one heap, but for `rates`, which has a number for each.
    """

    rates: list[float]
    tokens_per_second: float
    ttft_p50: float | None
    ttft_p95: float | None
    gap_p95: float | None
    cpu_per_token: float
    front_per_token: float
    peak_bytes: int
    facts: dict[str, float]


def summary(rounds: Sequence[Measured]) -> Summary:
    tokens = sum(r.tokens for r in rounds)
    ttfts = [answer.ttft for r in rounds for answer in r.timed if answer.came_at]
    gaps = [gap for r in rounds for answer in r.answers for gap in answer.gaps]
    names = rounds[0].facts
    return Summary(
        rates=[r.tokens / r.seconds for r in rounds],
        tokens_per_second=tokens / sum(r.seconds for r in rounds),
        ttft_p50=percentile(ttfts, 50) if ttfts else None,
        ttft_p95=percentile(ttfts, 95) if ttfts else None,
        gap_p95=percentile(gaps, 95) if gaps else None,
        cpu_per_token=sum(r.cpu_seconds for r in rounds) / max(1, tokens),
        front_per_token=sum(r.front_seconds for r in rounds) / max(1, tokens),
        peak_bytes=max(r.peak_bytes for r in rounds),
        facts={name: median(r.facts[name] for r in rounds) for name in names},
    )


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """None where one of them is missing, or there is nothing to divide by."""
    if ours is None or not theirs:
        return None
    return ours / theirs
