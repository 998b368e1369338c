"""What must be in the process before llama.cpp's libraries are."""

import ctypes
from contextlib import suppress


def preload_libstdcxx() -> None:
    """Load the system's C++ library for everybody. Call it before importing `llama_cpp`.

    `libggml-cuda.so` exports a few `std::` symbols; without this the tokenizer
    finds those first, and crashes. Where there is no such library (macOS, musl),
    there is no such trap.
    """
    with suppress(OSError):
        ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL)
