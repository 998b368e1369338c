"""`/chat/ws`: the older dialect on a socket, one JSON frame in and frames of plain text out."""

import asyncio

from accounts.callers import Caller
from accounts.sizes import body_limit
from accounts.sockets import NotLetIn
from chat.asking import asker_of, count, let_in
from chat.guarded import GuardedConsumer
from inference.api.body import checked, decoded
from inference.api.legacy import ERROR, sentence_of
from inference.api.legacy_bodies import LegacyChat
from inference.recording import CHAT, Recorder

from .answering import Answer, answered

MAX_WAITING = 8  # frames, while an answer is under way


class OlderConsumer(GuardedConsumer):
    """Answers one frame after the other: nothing in a frame of text says which it answers."""

    async def opened(self, caller: Caller) -> None:
        self._frames: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)
        self._answering = asyncio.create_task(self._answer_all())

    async def closed(self) -> None:
        self._answering.cancel()

    async def heard(self, text: str) -> None:
        try:
            self._frames.put_nowait(text)
        except asyncio.QueueFull:
            await self.send(f"{ERROR}{MAX_WAITING} frames wait already: this one is not answered.")

    async def _answer_all(self) -> None:
        while True:
            frame = await self._frames.get()
            try:
                await self._answer(frame)
            except NotLetIn as error:
                await self.send(f"{ERROR}{error}")
            except Exception as error:
                await self.send(ERROR + sentence_of(error))

    async def _answer(self, frame: str) -> None:
        with Recorder(CHAT) as recorder:
            answer = await self._begun(frame, recorder)
        try:
            async for piece in answer.pieces:
                if piece.text:
                    await self.send(piece.text)
        finally:
            answer.pieces.cancel()

    async def _begun(self, frame: str, recorder: Recorder) -> Answer:
        caller = await let_in(self._request)
        await count(caller, self._request)
        body = checked(LegacyChat, decoded(frame.encode(), body_limit(caller.policy)))
        return await answered(asker_of(caller, self._request), body, recorder)
