"""`llama_cpp`, imported the way it has to be, with its log lines in ours."""

import logging
from collections import deque
from typing import Any

from ..native import preload_libstdcxx

preload_libstdcxx()

# The C++ library has to be there before.
import llama_cpp as llama  # noqa: E402
from llguidance.llamacpp import lltokenizer_from_vocab  # noqa: E402

__all__ = ["complaints", "llama", "lltokenizer_from_vocab", "log_callback"]

logger = logging.getLogger(__name__)

ERROR = 4  # ggml_log_level
LEVELS = {1: logging.DEBUG, 2: logging.DEBUG, 3: logging.INFO, ERROR: logging.ERROR}

_errors: deque[str] = deque(maxlen=4)  # since somebody asked last


def _log(level: int, text: bytes, _: Any) -> None:
    line = text.decode(errors="replace").strip()
    if level == ERROR:
        _errors.append(line)
    if line.strip("."):
        logger.log(LEVELS.get(level, logging.DEBUG), "%s", line)


log_callback = llama.llama_log_callback(_log)  # llama.cpp keeps the pointer
llama.llama_log_set(log_callback, None)
llama.llama_backend_init()


def complaints() -> str:
    """What llama.cpp logged as errors lately, the cause first: its only way to say why."""
    text = "; ".join(_errors) or "llama.cpp gave no reason"
    _errors.clear()
    return text
