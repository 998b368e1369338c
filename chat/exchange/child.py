"""Reads a file in a process of its own, with limits to its memory and time.

A program without Django and our environment: on standard input comes the file, on
standard output goes what `wire` says.
"""

import gc
import sys

from chat.apart.confined import confine

from . import wire
from .errors import BadFile
from .reading import read

MEMORY_BYTES = 1024 * 2**20
CPU_SECONDS = 30


def main() -> None:
    confine(MEMORY_BYTES, CPU_SECONDS)
    gc.disable()  # it would look through millions of values, again and again, for nothing
    try:
        pieces = wire.packed(read(sys.stdin.buffer.read()))
    except BadFile as error:
        pieces = wire.packed_fault(error.words)
    sys.stdout.buffer.writelines(pieces)


if __name__ == "__main__":
    main()
