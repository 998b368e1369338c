"""On what was measured: the machine, and the versions of what ran."""

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from .llama_server import RIVALS_PYTHON, LlamaServer
from .setup import ROOT


def description(model: Path, threads: int) -> str:
    """One paragraph."""
    facts = [
        f"{datetime.now(UTC):%-d %B %Y %H:%M} UTC",
        f"{_cpu()}, {num_cores()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB",
        *_gpus(),
        f"load average {os.getloadavg()[0]:.1f} at the start",
        f"Python {platform.python_version()}",
        f"llmsite at {_output(['git', 'rev-parse', '--short', 'HEAD'], cwd=ROOT) or 'no commit'}",
        f"llama-cpp-python {_version('llama-cpp-python')}",
        f"llama-server: {_llama_server()}",
        f"{model.name}, {model.stat().st_size / 2**20:.0f} MiB",
        f"{threads} threads",
    ]
    return "; ".join(facts) + "."


def num_cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _gpus() -> list[str]:
    if not shutil.which("nvidia-smi"):
        return []
    names = _output(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    return names.splitlines()


def _llama_server() -> str:
    if LlamaServer.binary is None:
        asked = [str(RIVALS_PYTHON), "-c", "import xllamacpp; print(xllamacpp.__version__)"]
        found = _output(asked) if RIVALS_PYTHON.exists() else ""
        return f"xllamacpp {found}, not compiled for this CPU" if found else "none"
    return "a binary; it loads the libraries that are beside it or on LD_LIBRARY_PATH"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of no package"


def _output(command: list[str], **options: Path) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, **options
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
