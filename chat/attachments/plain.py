"""Text out of bytes of which nobody said how they are written."""

import codecs

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# That of UTF-32 begins like that of UTF-16.
BYTE_ORDER_MARKS = [
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
CONTROLS = [chr(code) for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n\r\f\b\x1b"]
MOST_CONTROLS = 0.1  # of all characters; UTF-16 without a mark has more, and so has what is no text
LOST = "\ufffd"

AS_WINDOWS_1252 = _("It is not in UTF-8 and was read as Windows-1252; accents may be wrong.")
WITH_LOSSES = _("Some of its characters are damaged.")

Doubt = Promise | None


class NotText(Exception):
    pass


def decode(data: bytes) -> tuple[str, Doubt]:
    """The text, and what its reader should know about it.

    Raises:
        NotText: too much of it is not what texts are made of.
    """
    text, doubt = _decoded(data)
    most = 0 if doubt is AS_WINDOWS_1252 else len(text) * MOST_CONTROLS
    if sum(map(text.count, CONTROLS)) > most:
        raise NotText
    return cleaned(text), doubt


def _decoded(data: bytes) -> tuple[str, Doubt]:
    try:
        for mark, encoding in BYTE_ORDER_MARKS:
            if data.startswith(mark):
                return data.removeprefix(mark).decode(encoding), None
    except UnicodeDecodeError:
        raise NotText from None
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        return _guessed(data)


def _guessed(data: bytes) -> tuple[str, Doubt]:
    """Damaged UTF-8 if more of its accents make sense than not, else Windows' old encoding."""
    text = data.decode("utf-8-sig", "replace")
    num_lost = text.count(LOST)
    num_accents = len(text) - len(text.encode("ascii", "ignore")) - num_lost
    if num_lost <= num_accents:
        return text, WITH_LOSSES
    try:
        return data.decode("cp1252"), AS_WINDOWS_1252
    except UnicodeDecodeError:
        raise NotText from None


def cleaned(text: str) -> str:
    """As a database keeps it (PostgreSQL no NUL, none half a character), lines ending alike."""
    whole = text.encode("utf-8", "replace").decode()
    return whole.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
