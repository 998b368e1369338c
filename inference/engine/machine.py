"""How much of the machine this process may use."""

import os
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Bytes, within the container's limit if there is one."""
    available = int(psutil.virtual_memory().available)
    return min(available, _cgroup_available(CGROUP) or available)


def total_memory() -> int:
    """Bytes of the machine, or of the container."""
    total = int(psutil.virtual_memory().total)
    return min(total, _number(CGROUP / "memory.max") or total)


def available_cores() -> int:
    """Physical cores, as far as this process may run on them: hyperthreads add no arithmetic."""
    physical = psutil.cpu_count(logical=False) or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    return max(1, min(physical, allowed, _cgroup_cores(CGROUP) or physical))


def _cgroup_cores(cgroup: Path) -> int | None:
    """Whole cores of the container's share of time: `cpu.max` holds microseconds and period."""
    try:
        quota, period = map(int, (cgroup / "cpu.max").read_text().split())
    except (OSError, ValueError):
        return None
    return max(1, quota // period)


def _cgroup_available(cgroup: Path) -> int | None:
    limit = _number(cgroup / "memory.max")
    used = _number(cgroup / "memory.current")
    return max(0, limit - used) if limit and used is not None else None


def _number(file: Path) -> int | None:
    """The file's number; None if there is no such file, or it says `max`."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
