"""Brings a file's conversations into the database, while others go on reading and writing."""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from asgiref.sync import sync_to_async
from django.db import DatabaseError

from accounts.models import User
from chat.apart.process import command_of, run
from chat.apart.queue import Queue
from chat.parameters import sampling
from inference.runtime import InvalidParameter

from .base import Draft
from .errors import BadFile
from .storing import Shelf, batches
from .translating import translated
from .wire import Head, Left, unpacked
from .words import say as _

logger = logging.getLogger(__name__)

QUEUE = Queue(num_at_once=2)
CHILD = command_of("chat.exchange.child")
TIME_LIMIT_S = 60.0
# Between two transactions. Who waits for SQLite's lock looks every tenth of a second.
PAUSE_S = 0.15


@dataclass
class Imported:
    """What has come in of a file, and what has not."""

    label: str
    num_in_file: int
    left: list[tuple[str, int, list[str]]] = field(default_factory=list)
    num_conversations: int = 0
    num_messages: int = 0

    @property
    def num_missing(self) -> int:
        return self.num_in_file - self.num_conversations

    @property
    def is_whole(self) -> bool:
        return not self.num_missing

    def count(self, drafts: list[Draft]) -> None:
        self.num_conversations += len(drafts)
        self.num_messages += sum(len(draft.messages) for draft in drafts)


async def import_file(
    data: bytes, user: User, owner: str, *, child: Sequence[str] = CHILD
) -> Imported:
    """All of it is looked at before a conversation is stored; then one comes in after the other.

    `child` is the command that reads it. Whoever is cancelled ends it; what has come in
    until then stays.

    Raises:
        BadFile: it is of no known format, or has faults; then nothing is imported.
    """
    async with QUEUE.turn(user.pk):
        output = await run(child, data, TIME_LIMIT_S)
        if not output:
            raise BadFile(_("The file takes more memory or time to read than one may take."))
        head, drafts = unpacked(output)
        _check(head)
        return await _stored(head, drafts, Shelf(user, owner))


def _check(head: Head) -> None:
    if head.fault:
        raise BadFile(head.fault)
    for number, parameters in head.parameters.items():
        try:
            sampling(parameters)
        except InvalidParameter as error:
            raise BadFile(f"conversations[{number}].{error}") from None


async def _stored(head: Head, drafts: Iterable[Draft], shelf: Shelf) -> Imported:
    done = Imported(translated(head.label), head.num_conversations)
    try:
        for batch in batches(drafts):
            await sync_to_async(shelf.store)(batch)
            done.count(batch)
            await asyncio.sleep(PAUSE_S)
    except DatabaseError:
        logger.exception("an import ended halfway")
    left = chain(head.left, _homeless(shelf), _crowded(shelf))
    done.left = [(translated(reason), number, places) for reason, number, places in left]
    return done


def _homeless(shelf: Shelf) -> Iterator[Left]:
    if shelf.homeless:
        number = sum(shelf.homeless.values())
        yield _("a folder, as no more fit"), number, [*shelf.homeless][:5]


def _crowded(shelf: Shelf) -> Iterator[Left]:
    if shelf.crowded:
        yield _("an attachment, as no more fit"), len(shelf.crowded), shelf.crowded[:5]
