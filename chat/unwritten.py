"""Whether the writer of an answer lives, in another process, though its lease says so."""

import asyncio
from contextlib import suppress

from channels.db import database_sync_to_async
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.conf import settings

from . import running
from .models import Message
from .telling import tell_end

# A process that says nothing for so long is taken for dead.
ASKED, REPLY_SECONDS = 3, 2.0


async def give_up_unwritten(conversation_id: int | None) -> bool:
    """Whether that conversation had an answer that nobody writes; it has none any more.

    A process that was killed has a lease for up to a minute. Nobody has to wait for that.
    """
    if not settings.REDIS_URL:  # no lease of another process counts, and ours has its writer
        return False
    rows = Message.objects.running().filter(conversation=conversation_id)
    answer = await database_sync_to_async(rows.select_related("conversation").first)()
    if answer is None:  # it has ended meanwhile
        return True
    if await _is_written(answer):
        return False
    if await database_sync_to_async(running.give_up)(answer):
        await tell_end(answer)
    return True


async def _is_written(answer: Message) -> bool:
    layer = get_channel_layer()
    reply = await layer.new_channel()
    for _ in range(ASKED):
        try:
            await layer.send(answer.channel, {"type": "refill", "to": reply})
        except ChannelFull:  # its writer has more to do than to listen
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLY_SECONDS):
                await layer.receive(reply)
            return True
    return False
