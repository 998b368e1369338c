"""The conversations that one socket follows, and how far it is with their answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.conf import settings

from . import groups, turns
from .follower import Follower
from .models import Attachment, Message
from .painter import Painter
from .writer import end_frames, is_written_here

# So often, and so long each time, an answer's writer is asked, wherever it is.
REFILLS, REFILL_SECONDS = 3, 2.0

Frame = dict[str, Any]
Send = Callable[[Frame], Awaitable[None]]


class Following:
    """Makes of what is told to a conversation's group what this socket has not heard yet.

    Frames that are told lack nothing but what `send` adds for a page.
    """

    def __init__(self, send: Send, channel: str, *, with_html: bool) -> None:
        self._send = send
        self._channel = channel
        self._with_html = with_html
        self._layer = get_channel_layer()
        self._conversations: set[UUID] = set()
        self._followers: dict[UUID, Follower] = {}
        self._refills: dict[UUID, asyncio.Task[None]] = {}
        self._painters: dict[UUID, Painter] = {}

    async def follow(self, conversation: UUID) -> None:
        if conversation not in self._conversations:
            self._conversations.add(conversation)
            await self._layer.group_add(groups.of_conversation(conversation), self._channel)

    async def renew(self) -> None:
        """Layers forget a group's members after a day."""
        for conversation in [*self._conversations]:
            await self._layer.group_add(groups.of_conversation(conversation), self._channel)

    async def leave(self, conversation: UUID) -> None:
        if conversation in self._conversations:
            self._conversations.discard(conversation)
            await self._layer.group_discard(groups.of_conversation(conversation), self._channel)
        for answer, follower in [*self._followers.items()]:
            if follower.ids["conversation"] == conversation.hex:
                self._forget(answer)

    async def close(self) -> None:
        for conversation in [*self._conversations]:
            await self.leave(conversation)

    def _forget(self, answer: UUID) -> Follower | None:
        if task := self._refills.pop(answer, None):
            task.cancel()
        if painter := self._painters.pop(answer, None):
            painter.cancel()
        return self._followers.pop(answer, None)

    async def resume(self, answer: Message, seq: int, reasoning_seq: int) -> None:
        """Tell the rest of an answer, and go on with it if it is being written."""
        self._open(answer.uid, answer.conversation.uid, seq, reasoning_seq)
        self._refill(answer.uid)

    async def told(self, frame: Frame) -> None:
        """What has been told to a group that this socket follows."""
        match frame["type"]:
            case "accepted":
                await self._begin(frame)
            case "delta" | "reasoning":
                await self._take(frame)
            case "done":
                await self._end(frame)
            case _:
                await self._send(frame)

    async def refilled(self, frame: Frame) -> None:
        """The answer's writer says what there is."""
        answer = UUID(frame["message"])
        if task := self._refills.pop(answer, None):
            task.cancel()
        if follower := self._followers.get(answer):
            await self._catch_up(answer, follower, frame["reasoning"], frame["text"])

    # Answers

    async def _begin(self, frame: Frame) -> None:
        answer, conversation = UUID(frame["message"]), UUID(frame["conversation"])
        follower = self._open(answer, conversation, frame["seq"], frame["reasoning_seq"])
        await self._send(frame)
        if follower.is_behind:  # it goes on from what it was cut off at
            self._refill(answer)

    def _open(
        self, answer: UUID, conversation: UUID, seq: int = 0, reasoning_seq: int = 0
    ) -> Follower:
        self._forget(answer)
        # What a page shows already has to be known here, too, to go on from there.
        is_behind = self._with_html and seq + reasoning_seq > 0
        ids = {"conversation": conversation.hex, "message": answer.hex}
        follower = Follower(ids, seq, reasoning_seq, is_behind=is_behind)
        self._followers[answer] = follower
        return follower

    async def _take(self, frame: Frame) -> None:
        answer = UUID(frame["message"])
        follower = self._followers.get(answer)
        if follower is None:
            follower = self._open(answer, UUID(frame["conversation"]))
        await self._tell(answer, follower, follower.take(frame))
        if follower.is_behind:
            self._refill(answer)

    async def _catch_up(self, answer: UUID, follower: Follower, reasoning: str, text: str) -> None:
        if self._with_html and answer not in self._painters:
            reasoning_seq, seq = follower.seqs
            shown = {"reasoning": reasoning[:reasoning_seq], "text": text[:seq]}
            await self._paint(answer, follower, **shown)
        await self._tell(answer, follower, follower.catch_up(reasoning, text))

    async def _tell(self, answer: UUID, follower: Follower, frames: list[Frame]) -> None:
        for frame in frames:
            await self._send(frame)
        if self._with_html and frames:
            painter = self._painters.get(answer) or await self._paint(answer, follower)
            painter.add(frames)

    async def _paint(self, answer: UUID, follower: Follower, **shown: str) -> Painter:
        files = Attachment.objects.filter(message__conversation__messages__uid=answer)
        num_citations = await database_sync_to_async(files.count)()
        painter = Painter(follower.ids, self._send, num_citations, **shown)
        self._painters[answer] = painter
        return painter

    async def _end(self, frame: Frame) -> None:
        """The last frames; those of the row, if some have been missed."""
        answer = UUID(frame["message"])
        follower = self._followers.get(answer)
        if follower is None:  # this socket has read the end from the row already
            return
        if follower.is_behind or follower.seqs != (frame["reasoning_seq"], frame["seq"]):
            row = await database_sync_to_async(Message.objects.get)(uid=answer)
            await self._catch_up(answer, follower, row.reasoning, row.text)
        if painter := self._painters.get(answer):
            await painter.finish()
        await self._send(frame)
        self._forget(answer)

    # What has been missed

    def _refill(self, answer: UUID) -> None:
        if answer not in self._refills:
            self._refills[answer] = asyncio.create_task(self._ask_for(answer))

    async def _ask_for(self, answer: UUID) -> None:
        """Ask the answer's writer. If there is none any more, the row has all there is."""
        rows = Message.objects.select_related("conversation").filter(uid=answer)
        row = await database_sync_to_async(rows.first)()
        if row and row.is_running and await self._asked(row):
            self._refills.pop(answer, None)  # the next piece may ask again
            return
        if row and row.is_running:
            await database_sync_to_async(turns.give_up)(row)
        self._refills.pop(answer, None)
        for frame in end_frames(row) if row and answer in self._followers else ():
            await self.told(frame)

    async def _asked(self, row: Message) -> bool:
        """Whether the answer has a writer. Its reply ends this task."""
        for _ in range(REFILLS):
            if not settings.REDIS_URL and not is_written_here(row):
                return False
            try:
                await self._layer.send(row.channel, {"type": "refill", "to": self._channel})
            except ChannelFull:
                return True
            await asyncio.sleep(REFILL_SECONDS)
        return is_written_here(row)
