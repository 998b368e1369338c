"""What a throw-away process does first: give up what it does not need."""

import atexit
import os
import resource
import signal
from contextlib import suppress
from types import FrameType

NICENESS = 10  # answers under way go first


def confine(memory_bytes: int, cpu_seconds: int) -> None:
    """This process gets no more than that, writes no file, and ends with its parent."""
    _end_with_parent()
    os.nice(NICENESS)
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in limits.items():
        with suppress(OSError, ValueError):  # macOS refuses some; the time limit still holds
            resource.setrlimit(what, (most, most))


def _end_with_parent() -> None:
    """Who waits for the answer may have been killed: look every second."""
    parent = os.getppid()

    def look(_signal: int, _frame: FrameType | None) -> None:
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    # While Python ends, the signal would end it: with its answer written, as if it had failed.
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
