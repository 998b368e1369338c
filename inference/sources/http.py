"""`https://…`, and `http://…` on this machine."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx

from .base import Progress, RemoteFile, model_file_name
from .errors import BadUri
from .partial import PartialFile
from .transfer import Transfer


@dataclass(frozen=True, slots=True)
class HttpFile(RemoteFile):
    """The URI may hold a user and a password."""

    @classmethod
    def parse(cls, uri: str) -> Self:
        try:
            url = httpx.URL(uri)
        except httpx.InvalidURL:  # its text may hold a piece of a password
            raise BadUri(uri, "is not a valid URL") from None
        if not url.host:
            raise BadUri(uri, "has no host")
        if not _is_safe(url):
            raise BadUri(uri, "http:// is for this machine only; use https://")
        return cls(uri, model_file_name(uri, urlsplit(uri).path))

    def download(self, part: Path, on_progress: Progress) -> str:
        return Transfer(self.uri, self.uri, PartialFile(part), on_progress).run()


def _is_safe(url: httpx.URL) -> bool:
    return url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
