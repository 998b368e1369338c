"""A file that somebody uploads, as JSON: the file itself, or what is in its archive."""

import json
import zlib
from io import BytesIO
from math import isfinite
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from .errors import BadFile
from .words import say as _

MAX_BYTES = 64 * 2**20  # of the JSON, unpacked
INSIDE = "conversations.json"  # as ChatGPT names it
METHODS = (ZIP_STORED, ZIP_DEFLATED)
ZIP = b"PK\x03\x04"


def read_json(data: bytes) -> Any:
    """
    Raises:
        BadFile: it is none, or larger or deeper than anybody's conversations are.
    """
    if data.startswith(ZIP):
        data = _unpacked(data)
    if len(data) > MAX_BYTES:
        raise BadFile(_("The JSON is larger than %(most)s MiB.", most=MAX_BYTES // 2**20))
    return _parsed(data)


def _unpacked(data: bytes) -> bytes:
    """No more is unpacked than is allowed, whatever the archive says of its size.

    Of other methods than these Python unpacks all that there is, at once.
    """
    try:
        with ZipFile(BytesIO(data)) as archive:
            files = [file for file in archive.infolist() if file.filename.split("/")[-1] == INSIDE]
            if not files:
                raise BadFile(_("The archive has no %(name)s.", name=INSIDE))
            if files[0].compress_type not in METHODS:
                text = _("%(name)s is packed by another method than Deflate.", name=INSIDE)
                raise BadFile(text)
            with archive.open(files[0]) as inside:
                return inside.read(MAX_BYTES + 1)
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error) as error:
        text = _("The archive cannot be unpacked: %(error)s", error=error)
        raise BadFile(text) from None


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_finite, parse_float=_finite)
    except UnicodeDecodeError as error:
        text = _("The file is not UTF-8, at byte %(position)d.", position=error.start)
        raise BadFile(text) from None
    except json.JSONDecodeError as error:
        where = {"line": error.lineno, "column": error.colno}
        text = _(
            "The file is not JSON: %(error)s, line %(line)d, column %(column)d.",
            error=error.msg,
            **where,
        )
        raise BadFile(text) from None
    except RecursionError:
        raise BadFile(_("The JSON is nested too deeply.")) from None
    except ValueError as error:  # such as a number of thousands of digits
        text = _("The file is not JSON that can be used: %(error)s", error=error)
        raise BadFile(text) from None


def _finite(text: str) -> float:
    """Not every database keeps others."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is not a finite number.")
    return number
