"""Everything that fetching a model file can refuse, or fail to do."""

import re

from inference.gguf_file import ModelFileError

USER_INFO = re.compile(r"//[^/?#]*@")
# A raw "/", "?" or "#" in a password ends the host too early and leaves a port of letters.
STRAY_USER_INFO = re.compile(r"//[^/?#]*:(?!\d*(?:[/?#]|$)).*@")
QUERY = re.compile(r"\?.+", re.DOTALL)


def redacted(uri: str) -> str:
    """The URI without what may be secret: user, password and query."""
    return QUERY.sub("?…", STRAY_USER_INFO.sub("//", USER_INFO.sub("//", uri)))


class SourceError(ModelFileError):
    """Base of them all; the message begins with the URI, its secrets left out."""

    code = "source_error"

    def __init__(self, uri: str, problem: str) -> None:
        super().__init__(f"{redacted(uri)}: {problem}")


class BadUri(SourceError):
    """The URI does not have the form of its scheme."""

    code = "bad_source_uri"


class UnknownScheme(BadUri):
    """No source has that scheme."""

    code = "unknown_source_scheme"


class SplitModel(SourceError):
    """The model consists of several files, which are not fetched yet."""

    code = "split_model_not_supported"


class SourceNotFound(SourceError):
    """Nothing is there."""

    code = "source_not_found"


class AccessDenied(SourceError):
    """It is there, perhaps, but not for us."""

    code = "source_access_denied"


class TransferFailed(SourceError):
    """It could not be reached, or broke off."""

    code = "transfer_failed"


class InsecureRedirect(TransferFailed):
    """The server sends us on to an address without TLS."""

    code = "insecure_redirect"


class WrongChecksum(SourceError):
    """What came is not what was expected."""

    code = "wrong_sha256"

    def __init__(self, uri: str, expected: str, found: str) -> None:
        super().__init__(uri, f"expected sha256 {expected}, found {found}")


class StorageFailed(SourceError):
    """The models folder cannot be written."""

    code = "storage_failed"


class DiskFull(StorageFailed):
    """There is no room for the file."""

    code = "disk_full"
