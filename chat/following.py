"""The conversations that one socket follows, and how far it is with their answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings

from . import groups, turns
from .follower import Follower
from .models import Attachment, Message
from .writer import end_frames, is_written_here

REFILL_SECONDS = 2.0  # for an answer's writer, wherever it is, to say what there is
FLUSH_SECONDS = 0.1

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
        self._flushing: asyncio.Task[None] | None = None

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

    async def close(self) -> None:
        for task in [*self._refills.values(), *([self._flushing] if self._flushing else [])]:
            task.cancel()
        for conversation in [*self._conversations]:
            await self.leave(conversation)

    async def resume(self, answer: Message, seq: int, reasoning_seq: int) -> None:
        """Tell the rest of an answer, and go on with it if it is being written."""
        await self._open(answer.uid, answer.conversation.uid, seq, reasoning_seq)
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
            await self._send_all(follower.catch_up(frame["text"], frame["reasoning"]))

    # Answers

    async def _begin(self, frame: Frame) -> None:
        answer, conversation = UUID(frame["message"]), UUID(frame["conversation"])
        follower = await self._open(answer, conversation, frame["seq"], frame["reasoning_seq"])
        await self._send(frame)
        if follower.is_behind:  # it goes on from what it was cut off at
            self._refill(answer)

    async def _open(
        self, answer: UUID, conversation: UUID, seq: int = 0, reasoning_seq: int = 0
    ) -> Follower:
        num_citations = 0
        if self._with_html:
            attachments = Attachment.objects.filter(message__conversation__uid=conversation)
            num_citations = await database_sync_to_async(attachments.count)()
            self._flushing = self._flushing or asyncio.create_task(self._flush())
        follower = self._followers[answer] = Follower(
            {"conversation": conversation.hex, "message": answer.hex},
            seq,
            reasoning_seq,
            with_html=self._with_html,
            num_citations=num_citations,
        )
        return follower

    async def _take(self, frame: Frame) -> None:
        answer = UUID(frame["message"])
        follower = self._followers.get(answer)
        if follower is None:
            follower = await self._open(answer, UUID(frame["conversation"]))
        await self._send_all(follower.take(frame))
        if follower.is_behind:
            self._refill(answer)

    async def _end(self, frame: Frame) -> None:
        """The last frames; those of the row, if some have been missed."""
        answer = UUID(frame["message"])
        follower = self._followers.pop(answer, None)
        if task := self._refills.pop(answer, None):
            task.cancel()
        if follower is None:  # this socket has read the end from the row already
            return
        if follower.is_behind or follower.seqs != (frame["reasoning_seq"], frame["seq"]):
            row = await database_sync_to_async(Message.objects.get)(uid=answer)
            await self._send_all(follower.catch_up(row.text, row.reasoning))
        await self._send_all(follower.finish())
        await self._send(frame)

    async def _send_all(self, frames: list[Frame]) -> None:
        for frame in frames:
            await self._send(frame)

    async def _flush(self) -> None:
        """Show what has waited for its rendering, should nothing more come for a while."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            for follower in [*self._followers.values()]:
                await self._send_all(follower.flush())

    # What has been missed

    def _refill(self, answer: UUID) -> None:
        if answer not in self._refills:
            self._refills[answer] = asyncio.create_task(self._ask_for(answer))

    async def _ask_for(self, answer: UUID) -> None:
        """Ask the answer's writer. If there is none any more, the row has all there is."""
        rows = Message.objects.select_related("conversation").filter(uid=answer)
        row = await database_sync_to_async(rows.first)()
        if row is None:
            return
        if row.is_running:
            if settings.REDIS_URL or is_written_here(row):
                await self._layer.send(row.channel, {"type": "refill", "to": self._channel})
                await asyncio.sleep(REFILL_SECONDS)  # cancelled by the answer
            await database_sync_to_async(turns.give_up)(row)
        self._refills.pop(answer, None)
        for frame in end_frames(row):
            await self.told(frame)
