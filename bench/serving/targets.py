"""What the numbers should be: ratios within one run, so that no machine's speed matters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .summary import Summary, ratio

Summaries = Mapping[str, Summary]  # by the server's label


@dataclass(frozen=True, slots=True)
class Target:
    """`value` finds the number, or None where this run cannot tell."""

    workload: str
    what: str
    value: Callable[[Summaries], float | None]
    least: float | None = None
    most: float | None = None

    def is_met(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )

    @property
    def shown(self) -> str:
        bounds = [(">=", self.least), ("<=", self.most)]
        return " and ".join(f"{sign} {bound:.3g}" for sign, bound in bounds if bound is not None)


def ours_of(summaries: Summaries) -> Summary | None:
    return summaries.get("ours") or summaries.get("engine")


def against(rival: str, field: str) -> Callable[[Summaries], float | None]:
    """Ours by theirs."""

    def value(summaries: Summaries) -> float | None:
        ours, theirs = ours_of(summaries), summaries.get(rival)
        if ours is None or theirs is None:
            return None
        return ratio(getattr(ours, field), getattr(theirs, field))

    return value


def against_itself(field: str, fact: str) -> Callable[[Summaries], float | None]:
    """Ours by what it takes in another state of its own."""

    def value(summaries: Summaries) -> float | None:
        ours = ours_of(summaries)
        return None if ours is None else ratio(getattr(ours, field), ours.facts.get(fact))

    return value


def against_variant(field: str) -> Callable[[Summaries], float | None]:
    """Ours by the same engine with options (`ours:…`), if there is one of them."""

    def value(summaries: Summaries) -> float | None:
        ours = ours_of(summaries)
        variants = [s for name, s in summaries.items() if name.startswith(("ours:", "engine:"))]
        if ours is None or len(variants) != 1:
            return None
        return ratio(getattr(ours, field), getattr(variants[0], field))

    return value


def fact(name: str) -> Callable[[Summaries], float | None]:
    def value(summaries: Summaries) -> float | None:
        ours = ours_of(summaries)
        return None if ours is None else ours.facts.get(name)

    return value


RATE = "tokens_per_second"
PEER = "llama-server"
BS = "llama-server:-bs"
SIXTH, TENTH = 1 / 6, 1 / 10
EVERYWHERE = (
    Target("b", "TTFT p95 by llama-server's", against(PEER, "ttft_p95"), most=SIXTH),
    Target("c", "TTFT p50 by llama-server's", against(PEER, "ttft_p50"), most=0.8),
    Target("d", "TTFT p50 by its idle value", against_itself("ttft_p50", "idle"), most=2.0),
    Target("f", "freed p99, seconds, without a micro-batch", fact("freed p99"), most=0.25),
    Target("g", "TTFT p50 by recomputing", against_itself("ttft_p50", "recomputed"), most=TENTH),
    Target("h", "share of the owner who asks more", fact("share"), least=0.45, most=0.55),
)
ON_CPU = (
    Target("a8", "tokens/s by llama-server's", against(PEER, RATE), least=1.0),
    Target("a32", "tokens/s by llama-server's", against(PEER, RATE), least=1.0),
    Target("e", "tokens/s by the variant's", against_variant(RATE), least=0.98),
    *EVERYWHERE,
)
ON_GPU = (
    Target("a1", "tokens/s by llama-server's", against(PEER, RATE), least=0.98),
    Target("a64", "tokens/s by llama-server's", against(PEER, RATE), least=2.0),
    Target("a64", "tokens/s by that with -bs", against(BS, RATE), least=1.4),
    Target("e", "tokens/s by the variant's", against_variant(RATE), least=1.5),
    *EVERYWHERE,
)
