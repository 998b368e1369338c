"""From a file's bytes to its text."""

import asyncio
from dataclasses import dataclass

from chat.apart.queue import Queue

from . import kinds, plain
from .errors import FileEmpty, FileUnsupported, TextTooLong
from .names import PDF, media_type
from .pdf import read_pdf
from .plain import Doubt

QUEUE = Queue(num_at_once=2)


@dataclass(frozen=True, slots=True)
class Reading:
    text: str
    media_type: str
    doubt: Doubt = None  # what its reader should know


async def read(data: bytes, name: str, max_characters: int) -> Reading:
    """What the file is shows in its content; its name only says which sort of text that is.

    Raises:
        AttachmentRefused: there is no text in it, or too much.
    """
    if not data.strip():
        raise FileEmpty(name=name)
    if kinds.is_pdf(data, name):
        return Reading(await read_pdf(data, name, max_characters), PDF)
    reading = await asyncio.to_thread(_read_text, data, name)
    if not reading.text.strip():
        raise FileEmpty(name=name)
    if len(reading.text) > max_characters:
        raise TextTooLong(name=name, most=max_characters)
    return reading


def _read_text(data: bytes, name: str) -> Reading:
    if kind := kinds.surely(data, name):
        raise FileUnsupported(name=name, kind=kind)
    try:
        text, doubt = plain.decode(data)
    except plain.NotText:
        raise FileUnsupported(name=name, kind=kinds.probably(data, name)) from None
    return Reading(text, media_type(name), doubt)
