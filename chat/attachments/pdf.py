"""Has PDFs read in throw-away processes, with limits to their memory and time."""

import json
from collections.abc import Sequence

from chat.apart.process import command_of, run

from .errors import (
    AttachmentRefused,
    PdfBroken,
    PdfEncrypted,
    PdfTooComplex,
    PdfWithoutText,
    TextTooLong,
)
from .plain import cleaned

CHILD = command_of("chat.attachments.pdf_child")
TIME_LIMIT_S = 45.0

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
    output = await run([*child, str(max_characters)], data, time_limit_s)
    answer = json.loads(output) if output else {"fault": "too_complex"}
    if fault := answer.get("fault"):
        raise FAULTS[fault](name=name, most=max_characters)
    return cleaned(answer["text"])
