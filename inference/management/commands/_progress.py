"""How far a download is: a bar on a terminal, a few lines anywhere else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

from inference.sources import Progress

TENTHS = 10
FIRST_BYTES = 16 * 10**6


def size_text(num_bytes: int | None) -> str:
    """As in '98.4MB'; a dash for a size that is not known."""
    return "-" if num_bytes is None else tqdm.format_sizeof(num_bytes, "B")


@contextmanager
def show_progress(label: str, stream: TextIO | None = None) -> Iterator[Progress]:
    """On standard error unless another stream is given."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield _Lines(label, stream).show
        return
    with tqdm(desc=label, file=stream, unit="B", unit_scale=True, leave=False) as bar:

        def show(done: int, total: int | None) -> None:
            if total != bar.total:
                bar.total = total
                bar.reset()
                bar.initial = done  # was there already: no part of the speed
            bar.update(done - bar.n)

        yield show


class _Lines:
    """One for each tenth, or for each doubling while the end is not known."""

    def __init__(self, label: str, stream: TextIO) -> None:
        self._label = label
        self._stream = stream
        self._total: int | None = None
        self._mark = 0

    def show(self, done: int, total: int | None) -> None:
        if total != self._total:
            self._total, self._mark = total, 0
        mark = (
            (done // FIRST_BYTES).bit_length() if total is None else TENTHS * done // max(total, 1)
        )
        if mark > self._mark:
            self._mark = mark
            self._stream.write(f"{self._label}: {_text(done, total)}\n")
            self._stream.flush()


def _text(done: int, total: int | None) -> str:
    if total is None:
        return size_text(done)
    return f"{100 * done // max(total, 1)} % of {size_text(total)}"
