"""`Idempotency-Key`: a retry gets the answer that the first request with the key computes."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import wraps
from typing import Any

import msgspec
from django.http import HttpResponse, HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from accounts.authentication import caller
from accounts.idempotency import RunningElsewhere
from inference.admission import allowed_model

from .refusals import IDEMPOTENCY_KEY, ApiError
from .runs import Asked, Head, parts_of, run_of
from .sse import KEEPALIVE, ErrorFrame, EventStream, error_frame

ACCEPTED = re.compile(r"[ -~]{1,255}")
REPLAYED = "idempotent-replayed"
POLL_SECONDS = 0.5  # how often another process's row is looked at

Post = Callable[[Any, Request], Awaitable[HttpResponseBase]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is to be known of requests and answers to give an answer again."""

    error_frame: ErrorFrame
    model: str = "model"  # the body's field that names it
    always_streams: bool = False

    def streams(self, body: Any) -> bool:
        return self.always_streams or body.get("stream") is True


OPENAIS = Dialect(error_frame)


def idempotent(dialect: Dialect) -> Callable[[Post], Post]:
    """Around a view's `post`, which then runs once for each key of a caller.

    With a key it runs in a task of its own: the client may leave, and ask again.
    """

    def around(post: Post) -> Post:
        @wraps(post)
        async def once(view: Any, request: Request) -> HttpResponseBase:
            key = _given_key(request)
            if key is None:
                return await post(view, request)
            return await _answer(_asked(view, request, key, dialect, post))

        once.is_idempotent = True  # type: ignore[attr-defined]
        return once

    return around


def _asked(view: Any, request: Request, key: str, dialect: Dialect, post: Post) -> Asked:
    body: Any = request.data
    return Asked(
        owner=caller(request).subject,
        key=key,
        fingerprint=_fingerprint(request.path, body),
        is_stream=dialect.streams(body),
        error_frame=dialect.error_frame,
        compute=lambda: post(view, request),
        allow=lambda: allowed_model(caller(request), body[dialect.model]),
    )


def _given_key(request: Request) -> str | None:
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None or ACCEPTED.fullmatch(key):
        return key
    raise ApiError(
        f"{IDEMPOTENCY_KEY}: it takes 1 to 255 printable ASCII characters"
        f" (it is {key[:40]!r}, of {len(key)})",
        param=IDEMPOTENCY_KEY,
    )


def _fingerprint(path: str, body: Any) -> str:
    """Of the endpoint and the body, in whatever order its fields come."""
    canonical = msgspec.json.encode(body, order="sorted")
    return hashlib.sha256(path.encode() + b"\n" + canonical).hexdigest()


async def _answer(asked: Asked) -> HttpResponseBase:
    response = await _try_answer(asked)
    if response is None and asked.is_stream:
        return _marked(EventStream(_later(asked), asked.error_frame))
    while response is None:
        await asyncio.sleep(POLL_SECONDS)
        response = await _try_answer(asked)
    return response


async def _later(asked: Asked) -> AsyncGenerator[bytes]:
    """The stream that another process computes, as soon as it is complete."""
    response = None
    while response is None:
        yield KEEPALIVE
        await asyncio.sleep(POLL_SECONDS)
        response = await _try_answer(asked)
    async with aclosing(parts_of(response)) as parts:
        async for part in parts:
            yield part


async def _try_answer(asked: Asked) -> HttpResponseBase | None:
    """The answer, computed, under way or stored; None while another process computes it."""
    run, is_new = run_of(asked)
    parts = run.parts.reader()
    try:
        head = await asyncio.shield(run.head)
    except RunningElsewhere:
        await asked.allow()
        return None
    if is_new and not head.is_stored:  # admitted just now
        return await _response(asked, head, parts)
    await asked.allow()
    return _marked(await _response(asked, head, parts))


def _marked(response: HttpResponseBase) -> HttpResponseBase:
    response[REPLAYED] = "true"
    return response


async def _response(asked: Asked, head: Head, parts: AsyncGenerator[bytes]) -> HttpResponseBase:
    response: HttpResponseBase
    if asked.is_stream:
        response = EventStream(parts)
    else:
        body = b"".join([part async for part in parts])
        response = HttpResponse(body, content_type=JSONRenderer.media_type)
    response.status_code = head.status
    for name, value in head.headers.items():
        response[name] = value
    return response
