"""A response as a stream of events, from wherever it is written."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from channels.db import database_sync_to_async

from chat.models import Message, StoredResponse
from chat.reading import Written
from chat.responses import find_answer
from chat.watching import watch
from inference.api.sse import HEADERS_ONLY, KEEPALIVE

from .errors import Failed, frame
from .objects import at_the_start, item_status, response_object
from .timeline import Event, Timeline


async def events(
    answer: Message, asked: StoredResponse, *, starting_after: int = -1
) -> AsyncGenerator[bytes]:
    """Those with higher numbers, from `response.created` to the one that says how it ended.

    Raises:
        Failed: it has, or was deleted while it was written.
    """
    timeline = Timeline(answer)
    first = at_the_start(response_object(answer, asked))
    begun = timeline.begin(first, is_queued=asked.is_background)
    yield _frames(begun, starting_after) or HEADERS_ONLY
    async with aclosing(watch(answer)) as watched:
        async for written in watched:
            if written is None:
                yield KEEPALIVE
            elif told := _frames(timeline.grow(written), starting_after):
                yield told
    row = await database_sync_to_async(find_answer)(answer.uid, answer.conversation.owner)
    if row is None:
        lost = {"code": "response_not_found", "message": "It was deleted.", "param": None}
        raise Failed(frame({"type": "error", **lost, "sequence_number": starting_after + 1}))
    for told in closing(timeline, row, asked, starting_after=starting_after):
        yield told


def closing(
    timeline: Timeline,
    answer: Message,
    asked: StoredResponse,
    *,
    starting_after: int = -1,
    store: bool = True,
) -> Iterable[bytes]:
    """The rest of an answer that is over. Raises as `events` does."""
    response = response_object(answer, asked, store=store)
    status = response["status"]
    rest = timeline.grow(Written.of(answer), is_over=True, status=item_status(status))
    told = _frames(rest, starting_after)
    # What a process that died had told, and not kept, is behind the end.
    at_least = starting_after + 1 if status == "failed" else 0
    told += _frames(timeline.end(response, at_least=at_least), starting_after)
    if status == "failed":
        raise Failed(told)
    yield told


def _frames(events: Iterable[Event], starting_after: int) -> bytes:
    return b"".join([frame(one) for one in events if one["sequence_number"] > starting_after])


def frames(events: Iterable[Event]) -> bytes:
    return _frames(events, -1)
