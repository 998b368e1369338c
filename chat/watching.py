"""What there is of one answer while it is written, in whichever server process that is."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from .abandoned import give_up, is_lost
from .models import Message
from .reading import Written
from .writer import written_so_far

SILENCE_SECONDS = 15.0  # after which whoever watches hears that it goes on
# Of an answer that another process writes: how often it is asked, and how long for a reply.
WRITTEN = ("reasoning", "text", "calls", "logprobs")
ASK_SECONDS, REPLY_SECONDS, TRIES = 0.25, 2.0, 3


async def watch(answer: Message) -> AsyncGenerator[Written | None]:
    """All there is, whenever that is more; None when there was nothing for a while.

    Ends when the answer is over: its row then has all of it, or is gone.
    """
    if written := written_so_far(answer.uid):
        async for one in _watched_here(written):
            yield one
    while (row := await _row(answer.uid)) and row.is_running:
        if is_lost(row):
            await give_up(row)
            return
        written = await _asked(row)
        if written is None:
            if (row := await _row(answer.uid)) and row.is_running:
                await give_up(row)  # its process says nothing: it is taken for dead
            return
        yield written
        await asyncio.sleep(ASK_SECONDS)


async def _watched_here(written: Written) -> AsyncGenerator[Written | None]:
    while not written.is_over:
        version = written.version
        yield written
        while not await written.grown(version, SILENCE_SECONDS):
            yield None


@database_sync_to_async
def _row(uid: UUID) -> Message | None:
    return Message.objects.select_related("conversation").filter(uid=uid).first()


async def _asked(row: Message) -> Written | None:
    """What its writer says; None if it says nothing, as often as it is asked."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    for _ in range(TRIES):
        await layer.send(row.channel, {"type": "refill", "to": channel})
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                told = await layer.receive(channel)
            return Written(*(told[name] for name in WRITTEN))
        except TimeoutError:
            continue
    return None
