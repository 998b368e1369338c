"""`llama_cpp`, imported the way it has to be, with its log lines in ours."""

import logging
from typing import Any

from ..native import preload_libstdcxx

preload_libstdcxx()

import llama_cpp as llama  # noqa: E402  the C++ library has to be there before

__all__ = ["last_error", "llama"]

logger = logging.getLogger(__name__)

ERROR = 4  # ggml_log_level
LEVELS = {1: logging.DEBUG, 2: logging.DEBUG, 3: logging.INFO, ERROR: logging.ERROR}

_errors: list[str] = []


def _log(level: int, text: bytes, _: Any) -> None:
    line = text.decode(errors="replace").strip()
    if level == ERROR:
        _errors[:] = [line]
    if line.strip("."):
        logger.log(LEVELS.get(level, logging.DEBUG), "%s", line)


_callback = llama.llama_log_callback(_log)  # llama.cpp keeps the pointer
llama.llama_log_set(_callback, None)
llama.llama_backend_init()


def last_error() -> str:
    """The last line that llama.cpp logged as an error: its only way to say why."""
    return _errors[0] if _errors else "llama.cpp gave no reason"
