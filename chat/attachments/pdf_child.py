"""Reads the text of a PDF, in a process of its own that a hostile one may ruin.

A program without our packages and our environment: on standard input comes the PDF, on
standard output goes `{"text": …}` or `{"fault": …}`, as JSON.
"""

import json
import logging
import os
import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from types import FrameType

MEMORY_BYTES = 768 * 2**20
CPU_SECONDS = 20
MAX_PAGES = 2000
NICENESS = 10  # answers under way go first


class Fault(Exception):
    """Its text is one of those that `pdf` knows."""


def limit_process() -> None:
    os.nice(NICENESS)
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in limits.items():
        with suppress(OSError, ValueError):  # macOS refuses some; the time limit still holds
            resource.setrlimit(what, (most, most))


def end_with_parent() -> None:
    """Who waits for the text may have been killed: look every second."""
    parent = os.getppid()

    def look(_signal: int, _frame: FrameType | None) -> None:
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)


def answer(data: bytes, max_characters: int) -> dict[str, str]:
    from pypdf.errors import DependencyError, LimitReachedError  # in nobody else's process

    try:
        return {"text": text_of(data, max_characters)}
    except Fault as fault:
        return {"fault": str(fault)}
    except DependencyError:  # a cipher that is not installed here
        return {"fault": "encrypted"}
    except (LimitReachedError, MemoryError):
        return {"fault": "too_complex"}
    except Exception:  # whatever these bytes made of pypdf
        return {"fault": "broken"}


def text_of(data: bytes, max_characters: int) -> str:
    """The pages' texts, a blank line between two."""
    pages, num_characters = [], 0
    for page in pages_of(data):
        pages.append(page.strip())
        num_characters += len(pages[-1])
        if num_characters > max_characters:
            raise Fault("too_long")
    if not num_characters:
        raise Fault("without_text")
    return "\n\n".join(filter(None, pages))


def pages_of(data: bytes) -> Iterator[str]:
    from pypdf import PdfReader

    reader = PdfReader(BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):  # many are, to forbid nothing but printing
        raise Fault("encrypted")
    num_pages = len(reader.pages)
    if not num_pages:
        raise Fault("broken")
    if num_pages > MAX_PAGES:
        raise Fault("too_complex")
    return (page.extract_text() for page in reader.pages)


if __name__ == "__main__":
    end_with_parent()
    limit_process()
    logging.disable()
    warnings.simplefilter("ignore")
    print(json.dumps(answer(sys.stdin.buffer.read(), int(sys.argv[1]))))
