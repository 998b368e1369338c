"""A file that somebody uploads, as JSON: the file itself, or what is in its archive."""

import json
import zlib
from math import isfinite
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

from django.utils.translation import gettext as _

from .errors import BadFile

MAX_BYTES = 64 * 2**20  # of the JSON, unpacked
INSIDE = "conversations.json"  # as ChatGPT names it
ZIP = b"PK\x03\x04"


def read_json(file: IO[bytes]) -> Any:
    """
    Raises:
        BadFile: it is none, or larger or deeper than anybody's conversations are.
    """
    start = file.read(len(ZIP))
    file.seek(0)
    data = _unpacked(file) if start == ZIP else file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadFile(_("The JSON is larger than %(most)d MiB.") % {"most": MAX_BYTES // 2**20})
    return _parsed(data)


def _unpacked(file: IO[bytes]) -> bytes:
    """No more is unpacked than is allowed, whatever the archive says of its size."""
    try:
        with ZipFile(file) as archive:
            names = [name for name in archive.namelist() if name.split("/")[-1] == INSIDE]
            if not names:
                raise BadFile(_("The archive has no %(name)s.") % {"name": INSIDE})
            with archive.open(names[0]) as inside:
                return inside.read(MAX_BYTES + 1)
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error) as error:
        text = _("The archive cannot be unpacked: %(error)s") % {"error": error}
        raise BadFile(text) from None


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_finite, parse_float=_finite)
    except UnicodeDecodeError as error:
        text = _("The file is not UTF-8, at byte %(position)d.") % {"position": error.start}
        raise BadFile(text) from None
    except json.JSONDecodeError as error:
        text = _("The file is not JSON: %(error)s, line %(line)d, column %(column)d.")
        where = {"error": error.msg, "line": error.lineno, "column": error.colno}
        raise BadFile(text % where) from None
    except RecursionError:
        raise BadFile(_("The JSON is nested too deeply.")) from None
    except ValueError as error:  # such as a number of thousands of digits
        text = _("The file is not JSON that can be used: %(error)s") % {"error": error}
        raise BadFile(text) from None


def _finite(text: str) -> float:
    """Not every database keeps others."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is not a finite number.")
    return number
