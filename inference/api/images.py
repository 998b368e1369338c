"""Images in a request: data URIs, and base64 with a type beside it."""

import base64
import binascii
import re
import secrets
import string
from collections.abc import Iterable
from typing import Any

from django.conf import settings

from inference.runtime import Image

from .refusals import ApiError, UnsupportedParameter

KINDS = ("image/png", "image/jpeg", "image/gif")
DATA_URI = re.compile(r"data:(?P<kind>[^;,]{0,100})(?P<options>[^,]{0,100}),", re.IGNORECASE)
NO_FETCH = "no address is ever fetched"
MARKER_LETTERS = 20  # some 94 bits: nobody writes it by chance, or guesses it


class Gallery:
    """The images of one request, as they are found. What stands for one in a message is its
    marker, so that messages are text for all that read, check, count and keep them.
    """

    def __init__(self) -> None:
        self.images: list[Image] = []

    def add_uri(self, uri: str, where: str) -> str:
        """The marker of the image that a data URI is.

        Raises:
            ApiError: it is none, or of no kind that is read; or there are too many.
        """
        match = DATA_URI.match(uri)
        if match is None:
            shown = f"{uri[:20]!r}…" if len(uri) > 20 else repr(uri)
            why = f"{shown} is no data: URI, and {NO_FETCH}"
            raise UnsupportedParameter(f"{where}: {why}", param=where)
        if match["options"].lower() != ";base64":
            raise ApiError(f"{where}: a data: URI has to be in base64", param=where)
        return self.add_base64(uri[match.end() :], match["kind"], where)

    def add_base64(self, data: str, kind: str, where: str) -> str:
        """Likewise, of a file's base64 and its media type."""
        if kind.lower() not in KINDS:
            why = f"{kind[:100]!r} is none of {', '.join(KINDS)}"
            raise UnsupportedParameter(f"{where}: {why}", param=where)
        most = settings.CONFIG.limits.max_images
        if len(self.images) >= most:
            rule = f"rule limits.max_images of the server: {most}"
            raise ApiError(f"{where}: the request has too many images ({rule})", param=where)
        try:
            raw = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise ApiError(f"{where}: it is not valid base64", param=where) from None
        self.images.append(Image(_marker(), raw, where))
        return self.images[-1].marker

    def joined(self, pieces: Iterable[str], between: str = "\n") -> str:
        """Parts of a message as one text: on lines of their own, but for images, as
        llama-server does it.
        """
        text, was_image = "", True
        for piece in pieces:
            is_image = any(piece == image.marker for image in self.images)
            text += piece if is_image or was_image else between + piece
            was_image = is_image
        return text


def url_of(value: Any) -> str | None:
    """Of an `image_url`: the string, or that in an object."""
    url = value.get("url") if isinstance(value, dict) else value
    return url if isinstance(url, str) else None


def refuse_images(prompt: dict[str, Any]) -> None:
    """For what has a text, and nothing else.

    Raises:
        UnsupportedParameter: naming the first image.
    """
    for image in prompt.get("images") or ():
        why = f"{image.param}: an image has no text to show here"
        raise UnsupportedParameter(why, param=image.param)


def _marker() -> str:
    letters = (secrets.choice(string.ascii_lowercase) for _ in range(MARKER_LETTERS))
    return f"<image:{''.join(letters)}>"
