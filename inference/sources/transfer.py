"""One file over HTTP, continued where an earlier attempt broke off."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from .base import Progress, check_space
from .errors import AccessDenied, InsecureRedirect, SourceNotFound, TransferFailed, redacted
from .partial import PartialFile

TIMEOUT = httpx.Timeout(30, connect=15)
RANGE = re.compile(r"bytes (?:(?P<start>\d+)-\d+|\*)/(?:(?P<total>\d+)|\*)")
SHA256 = re.compile(r'"?([0-9a-f]{64})"?')
REFUSALS: dict[int, type[AccessDenied | SourceNotFound]] = {
    401: AccessDenied,
    403: AccessDenied,
    404: SourceNotFound,
    410: SourceNotFound,
}


class _OtherFile(Exception):
    """What the server has does not begin with what is here."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """From `url` into `part`; errors name `uri`, and end with `access_hint` on a 401 or 403."""

    uri: str
    url: str
    part: PartialFile
    on_progress: Progress
    headers: Mapping[str, str] = field(default_factory=dict)
    access_hint: str = ""

    def run(self) -> str:
        """Returns the SHA-256 that the server names, or "".

        Raises:
            SourceError: what has come stays for another attempt.
        """
        try:
            with self._client() as client:
                return self._receive_all(client)
        except httpx.HTTPError as error:
            problem = redacted(str(error)) or type(error).__name__
            raise TransferFailed(
                self.uri,
                f"{problem}. Kept for another attempt: {self.part.size} bytes",
            ) from None

    def _receive_all(self, client: httpx.Client) -> str:
        try:
            return self._receive(client)
        except _OtherFile:
            self.part.discard()
            return self._receive(client)

    def _receive(self, client: httpx.Client) -> str:
        have, etag = self.part.size, self.part.etag
        rest = {"Range": f"bytes={have}-"} if have else {}
        if have and etag:
            rest["If-Range"] = etag
        with client.stream("GET", self._address, headers={**self.headers, **rest}) as response:
            if have and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                _refuse_other_size(response, have)
            else:
                self._refuse_failure(response)
                self._write(response, _continued_at(response, have, etag))
            return _named_sha256(response)

    def _write(self, response: httpx.Response, start: int) -> None:
        total = _total(response)
        check_space(self.uri, self.part.path.parent, (total or 0) - start)
        if not start:
            self.part.begin(response.headers.get("ETag", ""))
        self.on_progress(start, total)
        with self.part.path.open("ab") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                self.on_progress(file.tell(), total)
            received = file.tell()
        if total is not None and received != total:
            raise TransferFailed(self.uri, f"expected {total} bytes, found {received}")

    def _refuse_failure(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        kind = REFUSALS.get(response.status_code, TransferFailed)
        words = [f"the server answered {response.status_code} {response.reason_phrase}"]
        words += [response.headers.get("X-Error-Message", "")[:300]]  # Hugging Face's reason
        words += [self.access_hint if kind is AccessDenied else ""]
        raise kind(self.uri, ". ".join(filter(None, words)))

    def _client(self) -> httpx.Client:
        """User and password go beside the URL, which httpx writes into the log."""
        url = httpx.URL(self.url)
        return httpx.Client(
            auth=(url.username, url.password) if url.userinfo else None,
            event_hooks={"request": [self._refuse_insecure_redirect]},
            follow_redirects=True,
            headers={"Accept-Encoding": "identity"},
            timeout=TIMEOUT,
        )

    @property
    def _address(self) -> httpx.URL:
        return httpx.URL(self.url).copy_with(username=None, password=None)

    def _refuse_insecure_redirect(self, request: httpx.Request) -> None:
        if request.url.scheme != "https" and request.url != self._address:
            target = redacted(str(request.url))
            raise InsecureRedirect(self.uri, f"redirects to {target}, which is not https")


def _continued_at(response: httpx.Response, have: int, etag: str) -> int:
    """The byte from which the server sends: 0, or the first that is missing here."""
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return 0
    range_ = RANGE.match(response.headers.get("Content-Range", ""))
    if range_ is None or range_["start"] != str(have):
        raise _OtherFile
    if etag and response.headers.get("ETag", etag) != etag:  # a server that ignores If-Range
        raise _OtherFile
    return have


def _refuse_other_size(response: httpx.Response, have: int) -> None:
    """Nothing is left to send: fine if all is here already."""
    if _total(response) != have:
        raise _OtherFile


def _total(response: httpx.Response) -> int | None:
    """Of the whole file, in bytes, where the server tells."""
    range_ = RANGE.match(response.headers.get("Content-Range", ""))
    text = range_["total"] if range_ else response.headers.get("Content-Length")
    return int(text) if text else None


def _named_sha256(response: httpx.Response) -> str:
    """Hugging Face names it on the hop that leads to its storage."""
    for hop in (*response.history, response):
        match = SHA256.fullmatch(hop.headers.get("X-Linked-ETag", ""))
        if match:
            return match[1]
    return ""
