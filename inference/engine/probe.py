"""Finds out, once per machine and build, how llama.cpp must load models here.

Some virtual machines advertise AMX and do not run it: the first decode dies of
SIGSEGV. So a throw-away child process decodes a tiny model first.
"""

import ctypes
import hashlib
import importlib.util
import json
import logging
import os
import platform
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .errors import BackendUnusable
from .native import preload_libstdcxx
from .probe_model import Shape, write_probe_model

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
CHILD = (sys.executable, "-m", "inference.engine.probe")
CPU_FACTS = (
    "vendor_id",
    "model name",
    "flags",
    "CPU implementer",
    "CPU part",
    "Features",
    "isa",
)


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What a model's load must be told on this machine."""

    use_extra_bufts: bool
    """Repack weights into the layouts that AMX and similar kernels want."""


def safe_load_options(
    state_dir: Path, *, child: Sequence[str] = CHILD, time_limit_s: float = 60
) -> LoadOptions:
    """The answer in `state_dir/probe.json`; if it has none for this machine, a probe's.

    A probe takes about a second and blocks. `child` is the command it runs, and
    is given a mode (`extra` or `plain`) and a path for its model.

    Raises:
        BackendUnusable: the child fails in both modes; this is not remembered.
    """
    cache = state_dir / "probe.json"
    machine = _machine()
    answers = _read(cache)
    if machine not in answers:
        answers[machine] = _probe(child, time_limit_s)
        _write(cache, answers)
    return LoadOptions(use_extra_bufts=answers[machine])


def _probe(child: Sequence[str], time_limit_s: float) -> bool:
    """Whether extra buffer types work here."""
    extra_fault = _fault(child, "extra", time_limit_s)
    if extra_fault is None:
        logger.info("llama.cpp runs on this CPU with all its kernels")
        return True
    plain_fault = _fault(child, "plain", time_limit_s)
    if plain_fault is not None:
        raise BackendUnusable(
            f"This build of llama.cpp does not run on this CPU ({_cpu_name()}):"
            f" a trial run {plain_fault}."
        )
    logger.warning(
        "llama.cpp runs on this CPU without repacked weights only:"
        " with them (use_extra_bufts) a trial run %s",
        extra_fault,
    )
    return False


def _fault(child: Sequence[str], mode: str, time_limit_s: float) -> str | None:
    """How a child in that mode failed, or None."""
    with TemporaryDirectory(prefix="llmsite-probe-") as folder:
        try:
            done = subprocess.run(
                [*child, mode, f"{folder}/probe.gguf"],
                env={**os.environ, "PYTHONPATH": _python_path()},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=time_limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"did not end within {time_limit_s:g} s"
    if done.returncode < 0:
        return f"died of signal {-done.returncode} ({signal.strsignal(-done.returncode)})"
    if done.returncode > 0:
        last_line = (done.stderr.strip().splitlines() or [""])[-1]
        return f"failed with status {done.returncode} ({last_line})"
    return None


def _python_path() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def _machine() -> str:
    """Names everything that the answer depends on: CPU, kernel and llama.cpp's build."""
    cpu = [f"{key}: {value}" for key, value in _cpu().items()]
    build = [f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in _libraries()]
    facts = [platform.machine(), platform.system(), platform.release(), *cpu, *build]
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    return f"{_cpu_name()}, llama_cpp {_llama_cpp_version()}, {digest[:16]}"


def _cpu_name() -> str:
    return _cpu().get("model name") or platform.processor() or platform.machine()


def _cpu() -> dict[str, str]:
    """The lines that matter of Linux' first processor; nothing on other systems."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines())
    facts = {key.strip(): value.strip() for key, _, value in lines}
    return {key: facts[key] for key in CPU_FACTS if key in facts}


def _llama_cpp_version() -> str:
    try:
        return version("llama_cpp_python")
    except PackageNotFoundError:
        return "of no package"


def _libraries() -> list[Path]:
    """llama.cpp's shared libraries, found without loading them."""
    spec = importlib.util.find_spec("llama_cpp")
    folders = [Path(p, "lib") for p in (spec and spec.submodule_search_locations) or ()]
    if override := os.environ.get("LLAMA_CPP_LIB_PATH"):
        folders.append(Path(override))
    return sorted(p for folder in folders for p in folder.glob("*") if p.is_file())


def _read(cache: Path) -> dict[str, bool]:
    """The answers in the file; none if it is missing or not ours."""
    try:
        answers = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(answers, dict):
        return {}
    return {key: value for key, value in answers.items() if isinstance(value, bool)}


def _write(cache: Path, answers: dict[str, bool]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    draft = cache.with_name(f".{cache.name}.{os.getpid()}")
    draft.write_text(json.dumps(answers, indent=2))
    draft.replace(cache)


def _run_child(mode: str, path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    write_probe_model(path)
    _decode(path, use_extra_bufts=mode == "extra")


def _decode(path: Path, *, use_extra_bufts: bool) -> None:
    """Run a batch, then one token, on the CPU. If they fail by dying, so does this process."""
    preload_libstdcxx()
    import llama_cpp as llama  # after the line above, and in nobody else's process

    llama.llama_backend_init()
    model_params = llama.llama_model_default_params()
    no_devices = (ctypes.c_void_p * 1)(None)
    model_params.devices = ctypes.cast(no_devices, ctypes.c_void_p)
    model_params.n_gpu_layers = 0
    model_params.use_extra_bufts = use_extra_bufts
    model = llama.llama_model_load_from_file(bytes(path), model_params)
    context_params = llama.llama_context_default_params()
    context_params.n_ctx = Shape().context
    context_params.n_threads = context_params.n_threads_batch = 1
    context = llama.llama_init_from_model(model, context_params) if model else None
    if not context:
        sys.exit("the tiny model could not be loaded")
    for num_tokens in (32, 1):
        tokens = (llama.llama_token * num_tokens)(*range(num_tokens))
        if status := llama.llama_decode(context, llama.llama_batch_get_one(tokens, num_tokens)):
            sys.exit(f"llama_decode returned {status}")
        logits = llama.llama_get_logits_ith(context, -1)[: Shape().vocabulary]
        if not np.isfinite(logits).all():
            sys.exit("the logits are not finite")


if __name__ == "__main__":
    _run_child(sys.argv[1], Path(sys.argv[2]))
