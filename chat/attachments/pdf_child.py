"""Reads the text of a PDF, in a process of its own that a hostile one may ruin.

A program without Django and our environment: on standard input comes the PDF, on
standard output goes `{"text": …}` or `{"fault": …}`, as JSON.
"""

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from io import BytesIO

from chat.apart.confined import confine

MEMORY_BYTES = 768 * 2**20
CPU_SECONDS = 20
MAX_PAGES = 2000


class Fault(Exception):
    """Its text is one of those that `pdf` knows."""


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
    confine(MEMORY_BYTES, CPU_SECONDS)
    logging.disable()
    warnings.simplefilter("ignore")
    print(json.dumps(answer(sys.stdin.buffer.read(), int(sys.argv[1]))))
