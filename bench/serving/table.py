"""The results as Markdown."""

from collections.abc import Mapping, Sequence

from .comparison import Tally
from .summary import Summary
from .targets import Summaries, Target

HEADER = """\
| server | tokens/s (rounds) | TTFT p50 s | TTFT p95 s | gap p95 ms | CPU ms a token |\
 front us a token | peak MiB | texts equal / tie / differ | |
|---|---|---|---|---|---|---|---|---|---|"""


def row(label: str, found: Summary, texts: Tally | None) -> str:
    rounds = ", ".join(f"{rate:.1f}" for rate in found.rates)
    cells = [
        label,
        f"{found.tokens_per_second:.1f} ({rounds})",
        _number(found.ttft_p50, 3),
        _number(found.ttft_p95, 3),
        _number(found.gap_p95, 1, 1e3),
        f"{found.cpu_per_token * 1e3:.2f}",
        f"{found.front_per_token * 1e6:.0f}",
        f"{found.peak_bytes / 2**20:.0f}",
        str(texts) if texts else "not compared",
        "; ".join(f"{name} {value:.3f}" for name, value in found.facts.items()),
    ]
    return "| " + " | ".join(cells) + " |"


def failed_row(label: str, why: str) -> str:
    return f"| {label} | failed: {' '.join(why.split())[:300]} |" + " |" * 8


def _number(value: float | None, digits: int, factor: float = 1.0) -> str:
    return "" if value is None else f"{value * factor:.{digits}f}"


TARGETS_HEADER = """\
| workload | what | is | should be | |
|---|---|---|---|---|"""


def target_rows(targets: Sequence[Target], found: Mapping[str, Summaries]) -> list[str]:
    rows = []
    for target in targets:
        value = target.value(found.get(target.workload, {}))
        if value is not None:
            verdict = "met" if target.is_met(value) else "missed"
            rows.append(
                f"| {target.workload} | {target.what} | {value:.3f} | {target.shown} | {verdict} |"
            )
    return rows
