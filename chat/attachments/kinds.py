"""What a file is by its first bytes."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PDF_MAGIC = b"%PDF-"
HEAD = 1024  # bytes that may come before it

IMAGE = _("an image")
OFFICE = _("an office document")
ARCHIVE = _("an archive")
RECORDING = _("a recording")
PROGRAM = _("a program")
MODEL = _("a model")
DATABASE = _("a database")
BINARY = _("no text")


@dataclass(frozen=True, slots=True)
class Magic:
    start: bytes
    kind: Promise
    at: int = 0

    def fits(self, data: bytes) -> bool:
        return data.startswith(self.start, self.at)

    @property
    def is_sure(self) -> bool:
        """No text begins like that. One may well begin with “ID3”."""
        return not (self.start.isascii() and self.start.decode().isprintable())


MAGICS = [
    Magic(b"\x89PNG\r\n", IMAGE),
    Magic(b"\xff\xd8\xff", IMAGE),
    Magic(b"II*\0", IMAGE),
    Magic(b"MM\0*", IMAGE),
    Magic(b"GIF8", IMAGE),
    Magic(b"WEBP", IMAGE, at=8),
    Magic(b"ftypavif", IMAGE, at=4),
    Magic(b"ftyphei", IMAGE, at=4),
    Magic(b"ftyp", RECORDING, at=4),
    Magic(b"RIFF", RECORDING),
    Magic(b"ID3", RECORDING),
    Magic(b"OggS", RECORDING),
    Magic(b"fLaC", RECORDING),
    Magic(b"\x1aE\xdf\xa3", RECORDING),
    Magic(b"\xd0\xcf\x11\xe0", OFFICE),
    Magic(b"PK\x03\x04", ARCHIVE),
    Magic(b"PK\x05\x06", ARCHIVE),
    Magic(b"\x1f\x8b", ARCHIVE),
    Magic(b"7z\xbc\xaf", ARCHIVE),
    Magic(b"Rar!\x1a", ARCHIVE),
    Magic(b"\xfd7zXZ\0", ARCHIVE),
    Magic(b"\x28\xb5\x2f\xfd", ARCHIVE),
    Magic(b"BZh", ARCHIVE),
    Magic(b"\x7fELF", PROGRAM),
    Magic(b"\xcf\xfa\xed\xfe", PROGRAM),
    Magic(b"MZ", PROGRAM),
    Magic(b"GGUF", MODEL),
    Magic(b"SQLite format 3\0", DATABASE),
]
OFFICE_SUFFIXES = (".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".pages", ".numbers", ".epub")


def is_pdf(data: bytes, name: str) -> bool:
    """A text may quote the magic number, so what comes before it counts only in a *.pdf."""
    head = data[:HEAD]
    is_named = name.lower().endswith(".pdf")
    return head.lstrip().startswith(PDF_MAGIC) or (is_named and PDF_MAGIC in head)


def surely(data: bytes, name: str) -> Promise | None:
    """What it is, where it cannot be text."""
    magic = _find(data)
    return _named(magic, name) if magic and magic.is_sure else None


def probably(data: bytes, name: str) -> Promise:
    """What it is, of something that is not text."""
    magic = _find(data)
    return _named(magic, name) if magic else BINARY


def _find(data: bytes) -> Magic | None:
    return next((magic for magic in MAGICS if magic.fits(data)), None)


def _named(magic: Magic, name: str) -> Promise:
    is_office = magic.kind is ARCHIVE and name.lower().endswith(OFFICE_SUFFIXES)
    return OFFICE if is_office else magic.kind
