"""Which servers run which workloads, in which order, and what came of it."""

import asyncio
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import prompts
from .alone import sample, tallies
from .answer import Answer
from .crowd import ask
from .question import Question
from .server import BenchError, Server
from .setup import Setup
from .summary import Summary, summary
from .table import HEADER, failed_row, row
from .workload import Measured, Size, Workload

SEED = 20261126
ROOM_TOKENS = 512  # of a context, beside the prompt and the answer


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server as the command line names it: `kind`, or `kind:flags`."""

    label: str
    kind: type[Server]
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """`compared`: answers of each that are compared with the text written alone; None: all."""

    contestants: Sequence[Contestant]
    model: Path
    size: str
    rounds: int
    threads: int
    device: str
    repack: bool
    temperature: float
    compared: int | None
    tie: float
    folder: Path


@dataclass(slots=True)
class Found:
    """What one workload has brought, by the contestants' labels."""

    rounds: dict[str, list[Measured]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    summaries: dict[str, Summary] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def cells_of(size: Size, workload: Workload) -> tuple[int, int]:
    """Tokens that a request may have, and cells of the cache for all of them."""
    turns = 1 + size.repeat
    longest = size.system + size.prompt * turns + size.answer * (turns + 1) + ROOM_TOKENS
    if workload.key == "f":
        longest = size.prompt + size.answer * 100 + ROOM_TOKENS
    context = min(8192, -(-longest // 256) * 256)
    return context, max(8192, min(32768, context * size.slots))


async def run(plan: Plan, workload: Workload) -> Found:
    """Each server in each round, the order turned by one each time; then the texts."""
    size = workload.size(plan.size)
    assert size is not None
    found = Found()
    able = [c for c in plan.contestants if c.kind.is_batching or not workload.needs_batching]
    for number in range(plan.rounds):
        turned = [*able[number % len(able) :], *able[: number % len(able)]]
        for contestant in turned:
            if contestant.label not in found.failures:
                await _one(plan, workload, size, contestant, number, found)
    await _write(plan, workload, found)
    return found


async def _one(
    plan: Plan,
    workload: Workload,
    size: Size,
    contestant: Contestant,
    number: int,
    found: Found,
) -> None:
    folder = plan.folder / f"{workload.key}-{_file_name(contestant.label)}-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    server = contestant.kind(_setup(plan, workload, contestant, folder))
    print(f"  {workload.key} {contestant.label}, round {number + 1}", file=sys.stderr, flush=True)
    try:
        await server.start()
        warm = prompts.user("Say hello."), prompts.assistant("Hello."), prompts.user("Again.")
        owner = "alice" if server.setup.has_accounts else ""
        await ask(server, Question(warm, 8, owner))
        result = await workload.run(server, size, SEED + number, plan.temperature)
        found.rounds.setdefault(contestant.label, []).append(result)
    except (BenchError, ExceptionGroup, ValueError) as error:
        found.failures[contestant.label] = _reason(error)
    finally:
        await server.stop()


def _setup(plan: Plan, workload: Workload, contestant: Contestant, folder: Path) -> Setup:
    size = workload.size(plan.size)
    assert size is not None
    context, cells = cells_of(size, workload)
    return Setup(
        model=plan.model,
        slots=size.slots,
        context=context,
        cells=cells,
        threads=plan.threads,
        device=plan.device,
        repack=plan.repack,
        folder=folder,
        has_accounts=workload.has_accounts and contestant.kind.has_owners,
        flags=contestant.flags,
    )


def _reason(error: Exception) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _file_name(label: str) -> str:
    return "".join(c if c.isalnum() or c == "-" else "_" for c in label)


async def _write(plan: Plan, workload: Workload, found: Found) -> None:
    """Summaries and table; a server that has failed in one round has failed."""
    rounds = {k: v for k, v in found.rounds.items() if k not in found.failures}
    found.summaries = {label: summary(results) for label, results in rounds.items()}
    answers: dict[str, Sequence[Answer]] = {
        label: sample([a for r in results for a in r.answers], plan.compared)
        for label, results in rounds.items()
    }
    texts = {}
    why = ""
    if plan.compared != 0:
        try:
            setup = _setup(plan, workload, plan.contestants[0], plan.folder)
            texts = await tallies(setup, answers, plan.tie)
        except BenchError as error:
            why = str(error)
    found.lines = [f"### {workload.title}", "", HEADER]
    for contestant in plan.contestants:
        if contestant.label in found.failures:
            found.lines.append(failed_row(contestant.label, found.failures[contestant.label]))
        elif contestant.label in found.summaries:
            label = contestant.label
            found.lines.append(row(label, found.summaries[label], texts.get(label)))
    found.lines += ["", *filter(None, [why])]


def run_all(plan: Plan, workloads: Sequence[Workload]) -> dict[str, Found]:
    """All workloads; each one's table is printed when it is known."""
    results = {}
    for workload in workloads:
        results[workload.key] = found = asyncio.run(run(plan, workload))
        print("\n".join(found.lines), flush=True)
        _keep(plan.folder / f"{workload.key}.json", found)
    return results


def _keep(path: Path, found: Found) -> None:
    """Every answer's times, for whoever asks why."""
    raw = {
        label: [
            {
                "seconds": r.seconds,
                "facts": r.facts,
                "answers": [
                    {
                        "tokens": a.tokens,
                        "asked_at": a.asked_at,
                        "came_at": a.came_at,
                        "text": a.text,
                    }
                    for a in r.answers
                ],
            }
            for r in results
        ]
        for label, results in found.rounds.items()
    }
    path.write_text(json.dumps(raw))
