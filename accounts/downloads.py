"""Files that are sent while they are still being read from the database."""

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

LINES_AT_ONCE = 500


def download(lines: Iterator[str], filename: str, content_type: str) -> StreamingHttpResponse:
    """A few hundred lines at a time: memory holds no more, and no other request waits."""
    headers = {
        "Content-Disposition": f'attachment; filename="{filename}"',
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(_pieces(lines), content_type=content_type, headers=headers)


async def _pieces(lines: Iterator[str]) -> AsyncIterator[str]:
    while piece := await sync_to_async(_next)(lines):
        yield piece


def _next(lines: Iterator[str]) -> str:
    return "".join(islice(lines, LINES_AT_ONCE))
