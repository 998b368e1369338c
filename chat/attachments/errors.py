"""Why a file cannot be attached, in words for whoever chose it. Codes are for programs."""

from typing import ClassVar

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class AttachmentRefused(Exception):
    """Base. The sentence is put together when it is read, in the reader's language."""

    status: ClassVar[int] = 400
    code: ClassVar[str]
    param: ClassVar[str] = "file"
    sentence: ClassVar[Promise]

    def __init__(self, **facts: object) -> None:
        super().__init__(self.code)
        self._facts = facts

    @property
    def message(self) -> str:
        return str(self.sentence) % {name: _shown(fact) for name, fact in self._facts.items()}


def _shown(fact: object) -> str:
    return number_format(fact, force_grouping=True) if isinstance(fact, int) else str(fact)


class FileMissing(AttachmentRefused):
    code = "file_missing"
    sentence = _("Send one file, in the field “file”.")


class FileEmpty(AttachmentRefused):
    code = "file_empty"
    sentence = _("“%(name)s” is empty.")


class TooManyUnsent(AttachmentRefused):
    code = "too_many_attachments"
    sentence = _(
        "“%(name)s” was not added: you hold %(most)s files that were not sent. Send or remove one."
    )


class StorageFull(AttachmentRefused):
    status = 413
    code = "storage_full"
    sentence = _(
        "“%(name)s” was not added: all your files together may have %(most)s characters of"
        " text. Those in deleted conversations count until they go for good."
    )


class FileTooLarge(AttachmentRefused):
    status = 413
    code = "file_too_large"
    sentence = _("“%(name)s” has %(size)s bytes, and files may have %(most)s.")


class TextTooLong(AttachmentRefused):
    status = 413
    code = "text_too_long"
    sentence = _("“%(name)s” has more than %(most)s characters of text, which is the most.")


class FileUnsupported(AttachmentRefused):
    status = 415
    code = "file_unsupported"
    sentence = _(
        "“%(name)s” is %(kind)s. What can be read is text, such as Markdown, CSV and"
        " source code, and PDF."
    )


class PdfEncrypted(AttachmentRefused):
    code = "pdf_encrypted"
    sentence = _("“%(name)s” is protected by a password. Save it without one.")


class PdfWithoutText(AttachmentRefused):
    code = "pdf_without_text"
    sentence = _(
        "“%(name)s” has no text, only images of it, perhaps. Have its text recognised first (OCR)."
    )


class PdfBroken(AttachmentRefused):
    code = "pdf_broken"
    sentence = _("“%(name)s” is damaged, or is no PDF though it begins as one.")


class PdfTooComplex(AttachmentRefused):
    """It took more memory or time than a PDF may: a huge one, or one that is made to harm."""

    code = "pdf_too_complex"
    sentence = _("“%(name)s” is too complex to be read. Save its text, or fewer of its pages.")
