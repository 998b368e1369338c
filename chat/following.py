"""The conversations that one socket follows, and how far it is with their answers."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.conf import settings

from . import groups
from .abandoned import give_up
from .branch import num_attachments
from .follower import Follower
from .markdown import Labels
from .models import Message
from .painter import Painter
from .telling import end_frames
from .writer import written_here

logger = logging.getLogger(__name__)

# So often, and so long each time, an answer's writer is asked, wherever it is: a process
# that says nothing for six seconds is taken for dead, though its lease may be valid still.
REFILLS, REFILL_SECONDS = 3, 2.0
SILENCE_SECONDS = 5.0  # of an answer, before somebody looks whether there is more
NO_ANSWER = "0" * 32
MOST_ENDED = 100  # answers that are remembered to be over

Frame = dict[str, Any]
Send = Callable[[Frame], Awaitable[None]]


@lru_cache(10_000)
def uid_of(text: str) -> UUID:
    """Of every frame of an answer the same."""
    return UUID(text)


class Following:
    """Makes of what is told to a conversation's group what this socket has not heard yet."""

    def __init__(
        self,
        send: Send,
        channel: str,
        send_whole: Send | None = None,
        labels: Labels | None = None,
    ) -> None:
        """`send_whole` is for a page: it renders what belongs to a frame, and sends both.

        `labels` are those of a page's code blocks.
        """
        self._send = send
        self._channel = channel
        self._send_whole = send_whole
        self._labels = labels or Labels()
        self._layer = get_channel_layer()
        self._conversations: set[UUID] = set()
        self._followers: dict[UUID, Follower] = {}
        self._painters: dict[UUID, Painter] = {}
        self._refills: dict[UUID, asyncio.Task[None]] = {}
        self._ended: OrderedDict[UUID, None] = OrderedDict()
        self._watching: asyncio.Task[None] | None = None

    async def follow(self, conversation: UUID) -> None:
        if conversation not in self._conversations:
            self._conversations.add(conversation)
            await self._layer.group_add(groups.of_conversation(conversation), self._channel)

    async def renew(self) -> None:
        """Layers forget a group's members after a day."""
        for conversation in [*self._conversations]:
            await self._layer.group_add(groups.of_conversation(conversation), self._channel)

    async def leave(self, conversation: UUID) -> None:
        known: dict[UUID, Painter | Follower] = {**self._painters, **self._followers}
        for answer, one in known.items():
            if one.ids["conversation"] == conversation.hex:
                self._forget(answer)
        if conversation in self._conversations:
            self._conversations.discard(conversation)
            await self._layer.group_discard(groups.of_conversation(conversation), self._channel)

    async def close(self) -> None:
        if self._watching:
            self._watching.cancel()
        for answer in {*self._followers, *self._painters}:
            self._forget(answer)
        for conversation in [*self._conversations]:
            await self.leave(conversation)

    async def resume(self, answer: Message, seq: int, reasoning_seq: int) -> None:
        """Tell the rest of an answer, and go on with it if it is being written."""
        if answer.uid not in self._refills:  # else that is under way
            self._open(answer.uid, answer.conversation.uid, seq, reasoning_seq)
            self._refill(answer.uid)

    async def told(self, frame: Frame) -> None:
        """What has been told to a group that this socket follows."""
        if follower := self._followers.get(uid_of(frame.get("message", NO_ANSWER))):
            follower.heard_at = time.monotonic()
        match frame["type"]:
            case "accepted":
                await self._begin(frame)
            case "delta" | "reasoning":
                await self._take(frame)
            case "done":
                await self._end(frame)
            case _:
                await self._say(frame)

    async def refilled(self, frame: Frame) -> None:
        """The answer's writer says what there is."""
        answer = uid_of(frame["message"])
        if task := self._refills.pop(answer, None):
            task.cancel()
        if follower := self._followers.get(answer):
            follower.heard_at = time.monotonic()
            await self._catch_up(answer, follower, frame["reasoning"], frame["text"])

    # Answers

    async def _begin(self, frame: Frame) -> None:
        answer, conversation = uid_of(frame["message"]), uid_of(frame["conversation"])
        follower = self._open(answer, conversation, frame["seq"], frame["reasoning_seq"])
        self._paint(answer, follower.ids)
        await self._say(frame)
        if follower.is_behind:  # it goes on from what it was cut off at
            self._refill(answer)

    def _open(
        self, answer: UUID, conversation: UUID, seq: int = 0, reasoning_seq: int = 0
    ) -> Follower:
        self._forget(answer)
        self._ended.pop(answer, None)
        # What a page shows already has to be known here, too, to go on from there.
        is_behind = self._send_whole is not None and seq + reasoning_seq > 0
        ids = {"conversation": conversation.hex, "message": answer.hex}
        follower = Follower(ids, seq, reasoning_seq, is_behind=is_behind)
        self._followers[answer] = follower
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        return follower

    async def _take(self, frame: Frame) -> None:
        answer = uid_of(frame["message"])
        if answer in self._ended:
            return
        follower = self._followers.get(answer)
        if follower is None:
            follower = self._open(answer, uid_of(frame["conversation"]))
        await self._tell(answer, follower, follower.take(frame))
        if follower.is_behind:
            self._refill(answer)

    async def _catch_up(self, answer: UUID, follower: Follower, reasoning: str, text: str) -> None:
        for frame in follower.cut(len(reasoning), len(text)):
            await self._send(frame)
        if painter := self._paint(answer, follower.ids):
            reasoning_seq, seq = follower.seqs
            painter.shows(reasoning=reasoning[:reasoning_seq], text=text[:seq])
        await self._tell(answer, follower, follower.catch_up(reasoning, text))

    async def _tell(self, answer: UUID, follower: Follower, frames: list[Frame]) -> None:
        """Text goes out at once; how a page shows it follows."""
        for frame in frames:
            await self._send(frame)
        if frames and (painter := self._paint(answer, follower.ids)):
            painter.add(frames)

    async def _say(self, frame: Frame) -> None:
        """On a page it waits for what was said before it of the same answer."""
        if painter := self._painters.get(uid_of(frame.get("message", NO_ANSWER))):
            painter.say(frame)
        else:
            await self._send(frame)

    def _paint(self, answer: UUID, ids: Frame) -> Painter | None:
        """Who shows the answer on the page, if this is one."""
        if self._send_whole is None:
            return None
        if answer not in self._painters:
            count = partial(database_sync_to_async(num_attachments), answer)
            self._painters[answer] = Painter(ids, self._send, self._send_whole, count, self._labels)
        return self._painters[answer]

    async def _end(self, frame: Frame) -> None:
        """The last frames; those of the row, if some have been missed."""
        answer = uid_of(frame["message"])
        if answer in self._ended:  # told twice: by its group, and by whoever read the row
            return
        self._ended[answer] = None
        if len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)
        follower = self._followers.get(answer)
        if follower is None:
            follower = Follower({name: frame[name] for name in ("conversation", "message")})
        if follower.is_behind or follower.seqs != (frame["reasoning_seq"], frame["seq"]):
            row = await database_sync_to_async(Message.objects.filter(uid=answer).first)()
            if row:
                await self._catch_up(answer, follower, row.reasoning, row.text)
        if painter := self._paint(answer, follower.ids):
            painter.end(frame).add_done_callback(partial(self._painted, answer, painter))
            self._forget(answer, is_shown=True)
        else:
            self._forget(answer)
            await self._send(frame)

    def _painted(self, answer: UUID, painter: Painter, _: "asyncio.Task[None]") -> None:
        if self._painters.get(answer) is painter:
            del self._painters[answer]

    def _forget(self, answer: UUID, *, is_shown: bool = False) -> None:
        """A page is left to show the rest if it `is_shown` all there is to come."""
        if task := self._refills.pop(answer, None):
            task.cancel()
        if not is_shown and (painter := self._painters.pop(answer, None)):
            painter.cancel()
        self._followers.pop(answer, None)

    # What has been missed

    async def _watch(self) -> None:
        """The last frame of all may be the one that was lost: nothing tells of a gap then."""
        while self._followers:
            await asyncio.sleep(SILENCE_SECONDS)
            for answer, follower in [*self._followers.items()]:
                if time.monotonic() - follower.heard_at > SILENCE_SECONDS:
                    self._refill(answer)

    def _refill(self, answer: UUID) -> None:
        if answer not in self._refills:
            task = self._refills[answer] = asyncio.create_task(self._ask_for(answer))
            task.add_done_callback(lambda task: self._refill_ended(answer, task))

    def _refill_ended(self, answer: UUID, task: "asyncio.Task[None]") -> None:
        """However it has: the next piece, or silence, may ask again."""
        if self._refills.get(answer) is task:
            del self._refills[answer]
        if not task.cancelled() and (error := task.exception()):
            logger.error("an answer's rest could not be asked for", exc_info=error)

    async def _ask_for(self, answer: UUID) -> None:
        """Ask the answer's writer. If there is none any more, the row has all there is."""
        rows = Message.objects.select_related("conversation").filter(uid=answer)
        row = await database_sync_to_async(rows.first)()
        if row and row.is_running:
            if await self._is_written(row):
                return
            await give_up(row)
        if row and answer in self._followers:
            self._refills.pop(answer, None)  # or what it tells would cancel this task
            for frame in end_frames(row):
                await self.told(frame)

    async def _is_written(self, row: Message) -> bool:
        """Whether the answer has a writer, whose reply ends this task."""
        for _ in range(REFILLS):
            if not settings.REDIS_URL and row.uid not in written_here():
                return False
            try:
                await self._layer.send(row.channel, {"type": "refill", "to": self._channel})
            except ChannelFull:
                return True
            await asyncio.sleep(REFILL_SECONDS)
        return row.uid in written_here()
