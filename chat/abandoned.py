"""Answers that nobody writes any more: they were stopped, or their process has died or
lost them.

What their last checkpoint kept is there, and can go on. Whoever followed one is told.
"""

import logging

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings

from . import running
from .models import Message
from .telling import tell_end
from .writer import num_beginning, written_here

logger = logging.getLogger(__name__)


async def give_up(answer: Message) -> None:
    """Unless it has ended meanwhile; the answer is then as it is in the database."""
    if await database_sync_to_async(running.give_up)(answer):
        await tell_end(answer)


async def stop(answer: Message) -> None:
    """Tell its writer, in whichever process, that nobody wants to have the rest."""
    if not answer.is_running:
        return
    await get_channel_layer().send(answer.channel, {"type": "stop"})
    if is_lost(answer):
        await give_up(answer)


def is_lost(answer: Message) -> bool:
    """Whether the process that wrote it has died, where that can be seen from here."""
    return not settings.REDIS_URL and answer.uid not in written_here()


async def give_up_abandoned() -> None:
    """Of dead processes, and of this one those that no writer has. To be called regularly."""
    for answer in await database_sync_to_async(running.abandoned)():
        await give_up(answer)
    for answer in await database_sync_to_async(running.running_here)():
        # Looked at after the rows: one that began in between is not among them, or has a writer.
        if answer.uid not in written_here() and not num_beginning():
            logger.error("an answer has lost its writer", extra={"answer": answer.uid.hex})
            await give_up(answer)
