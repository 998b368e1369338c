"""Has PDFs read in throw-away processes, with limits to their memory and time."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import (
    AttachmentRefused,
    PdfBroken,
    PdfEncrypted,
    PdfTooComplex,
    PdfWithoutText,
    TextTooLong,
)
from .plain import cleaned

logger = logging.getLogger(__name__)

# Isolated: nothing of ours is imported there, nor what a directory or a variable names.
CHILD = (sys.executable, "-I", str(Path(__file__).with_name("pdf_child.py")))
TIME_LIMIT_S = 45.0
PASSED_ON = ("PATH", "LD_LIBRARY_PATH")  # not the passwords that an environment may hold

FAULTS: dict[str, type[AttachmentRefused]] = {
    "broken": PdfBroken,
    "encrypted": PdfEncrypted,
    "too_complex": PdfTooComplex,
    "too_long": TextTooLong,
    "without_text": PdfWithoutText,
}


async def read_pdf(
    data: bytes,
    name: str,
    max_characters: int,
    *,
    child: Sequence[str] = CHILD,
    time_limit_s: float = TIME_LIMIT_S,
) -> str:
    """The text. `child` is the command that reads it; whoever is cancelled ends it.

    Raises:
        AttachmentRefused: there is none, or it cannot be had within the limits.
    """
    output = await _run([*child, str(max_characters)], data, time_limit_s)
    answer = json.loads(output) if output else {"fault": "too_complex"}
    if fault := answer.get("fault"):
        raise FAULTS[fault](name=name, most=max_characters)
    return cleaned(answer["text"])


async def _run(command: list[str], data: bytes, time_limit_s: float) -> bytes:
    """What it says; nothing if it did not live to say it."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={key: os.environ[key] for key in PASSED_ON if key in os.environ},
    )
    try:
        async with asyncio.timeout(time_limit_s):
            output, _ = await process.communicate(data)
    except TimeoutError:
        logger.warning("a PDF was not read in time", extra={"seconds": time_limit_s})
        return b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        logger.warning("a PDF's reader died", extra={"returncode": process.returncode})
        return b""
    return output
