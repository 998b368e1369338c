"""Where the images of a request stand in its prompt."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from .backend import Eyes, Reader, Vectors
from .errors import TemplateError, Unsupported
from .image import Image, measure
from .span import Span, placeholders

MOST_KNOWN = 256  # images whose form is remembered: those of a conversation come every turn


class Form(NamedTuple):
    """What an image becomes; `digest` is of its bytes."""

    digest: bytes
    parts: list[list[int] | Vectors]


class Laid(NamedTuple):
    """Tokens, and which of them are images."""

    tokens: list[int]
    spans: tuple[Span, ...] = ()


class Album:
    """Asks one backend; to be used by one thread at a time."""

    def __init__(self, backend: Reader) -> None:
        self._backend = backend
        # By owner and digest, least recently used first.
        self._forms: OrderedDict[tuple[str, bytes], Form] = OrderedDict()

    def lay(
        self,
        text: str,
        images: Sequence[Image],
        tokenize: Callable[[str, bool], list[int]],
        owner: str | None = None,
    ) -> Laid:
        """The text's tokens, with those of the images where their markers are.

        Raises:
            EngineError: naming the first image that cannot be read.
        """
        if not images:
            return Laid(tokenize(text, True))
        tokens: list[int] = []
        spans: list[Span] = []
        for piece in _pieces(text, images):
            if isinstance(piece, str):
                tokens += tokenize(piece, not tokens)
            else:
                tokens = tokens or tokenize("", True)
                self._place(piece, owner, tokens, spans)
        return Laid(tokens, tuple(spans))

    def _place(self, image: Image, owner: str | None, tokens: list[int], spans: list[Span]) -> None:
        """Put the image's tokens behind those that are there."""
        index, form = 0, self._form(image, owner)
        for part in form.parts:
            if isinstance(part, Vectors):
                start, end = len(tokens), len(tokens) + part.length
                spans.append(Span(start, end, image, index, part.is_whole, part.num_positions))
                salt = self._eyes(image).salt
                tokens += placeholders(salt, form.digest, index, part.length)
                index += 1
            else:
                tokens += part

    def _form(self, image: Image, owner: str | None) -> Form:
        """What it becomes. One that its owner has sent lately is not decoded again; by the time
        that takes nobody can tell what others have sent.
        """
        digest = hashlib.sha256(image.data).digest()
        if owner is None:
            return self._looked_at(image, digest)
        key = owner, digest
        form = self._forms.pop(key, None) or self._looked_at(image, digest)
        self._forms[key] = form
        if len(self._forms) > MOST_KNOWN:
            self._forms.popitem(last=False)
        return form

    def _looked_at(self, image: Image, digest: bytes) -> Form:
        eyes = self._eyes(image)
        measure(image)
        return Form(digest, eyes.look(image))

    def _eyes(self, image: Image) -> Eyes:
        if self._backend.eyes is None:
            raise Unsupported(image.param, "needs a model with a projector; this one has none")
        return self._backend.eyes


def check_placed(images: Sequence[Image], messages: Sequence[dict[str, Any]]) -> None:
    """
    Raises:
        InvalidParameter: on their way here the messages have lost the marker of an image.
    """
    for image in images:
        if not _has(messages, image):
            raise image.refused("has lost its place in the messages")


def _has(messages: Sequence[dict[str, Any]], image: Image) -> bool:
    return any(image.marker in (message.get("content") or "") for message in messages)


def check_shown(images: Sequence[Image], messages: Sequence[dict[str, Any]], text: str) -> None:
    """
    Raises:
        TemplateError: the prompt has not got each image of its messages once.
    """
    for image in images:
        is_wanted = _has(messages, image)
        if text.count(image.marker) != is_wanted:
            raise TemplateError("The model's chat template does not keep the messages' images.")


def _pieces(text: str, images: Sequence[Image]) -> Iterable[str | Image]:
    by_marker = {image.marker: image for image in images}
    found = re.split(f"({'|'.join(map(re.escape, by_marker))})", text)
    return [by_marker.get(piece, piece) for piece in found if piece]
