"""The chat socket: translates frames. What a turn is, and who writes it, is elsewhere."""

from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
from channels.db import database_sync_to_async
from django.utils.translation import get_language_from_request, override
from redis.exceptions import RedisError

from accounts.callers import Caller
from accounts.errors import Refusal
from accounts.sizes import check_body
from accounts.sockets import NotLetIn
from inference.failures import failure
from inference.recording import CHAT, Recorder
from inference.runtime import EngineError

from . import fragments, groups
from .abandoned import stop
from .asking import asker_of, count, let_in
from .errors import MessageNotFound
from .following import Following
from .frames import Frame, Leave, Resume, Stop, decode
from .guarded import GuardedConsumer
from .models import Message
from .sentences import sentence_of
from .starting import Asking, owned_conversation, owned_message, said_before, start
from .telling import accepted_frame
from .texts import code_labels
from .titles import title_frame
from .turns import Turn
from .writer import begin

LARGEST_FRAME = 1_000_000  # bytes; Daphne sends none above a MiB


class ChatConsumer(GuardedConsumer):
    """One socket: starts, stops and resumes answers, and hears of all it follows."""

    async def opened(self, caller: Caller) -> None:
        self._with_html = parse_qs(self.scope["query_string"]).get(b"html") == [b"1"]
        self._language = get_language_from_request(self._request)
        with override(self._language):
            labels = code_labels()
        send_whole = self._send_with_fragment if self._with_html else None
        self._following = Following(self._send, self.channel_name, send_whole, labels)
        self._owners_group = groups.of_owner(caller.owner)
        await self.renew()

    async def renew(self) -> None:
        await self.channel_layer.group_add(self._owners_group, self.channel_name)
        await self._following.renew()

    async def closed(self) -> None:
        try:
            await self.channel_layer.group_discard(self._owners_group, self.channel_name)
        finally:
            await self._following.close()

    # From the client

    async def heard(self, text: str) -> None:
        ref = ""
        try:
            frame = decode(text)
            ref = frame.ref
            caller = await let_in(self._request)
            check_body(caller.policy, len(text.encode(errors="replace")))
            await self._heed(frame, caller)
        except Exception as error:
            await self._refuse(error, ref)

    async def _refuse(self, error: Exception, ref: str) -> None:
        said: dict[str, Any] = (
            {"code": "invalid_api_key", "message": str(error), "param": None}
            if isinstance(error, NotLetIn)
            else failure(error)[1]["error"]
        )
        text = said["message"]
        if self._with_html:  # a person reads it
            with override(self._language):
                text = sentence_of(said["code"], text)
        told = {"code": said["code"], "text": text, "param": said["param"]}
        await self._send({"type": "error", "ref": ref, **told})

    async def _heed(self, frame: Frame, caller: Caller) -> None:
        match frame:
            case Stop():
                await self._stop(frame, caller)
            case Resume():
                await self._resume(frame, caller)
            case Leave():
                await self._following.leave(frame.conversation)
            case _:
                with Recorder(CHAT) as recorder:
                    await self._start(frame, caller, recorder)

    async def _start(self, frame: Asking, caller: Caller, recorder: Recorder) -> None:
        try:
            await self._begin(frame, caller, recorder)
        except (EngineError, Refusal):
            turn = await database_sync_to_async(said_before)(frame, caller)
            if turn is None:
                raise
            await self._tell_again(turn, frame.ref)

    async def _tell_again(self, turn: Turn, ref: str) -> None:
        """All of it: whoever asks once more has not heard that it was accepted."""
        await self._following.follow(turn.conversation.uid)
        since = {"seq": 0, "reasoning_seq": 0}
        await self._send({**accepted_frame(turn), **since, "ref": ref, "again": True})
        await self._send(title_frame(turn.conversation))
        await self._following.resume(turn.answer, **since)

    async def _begin(self, frame: Asking, caller: Caller, recorder: Recorder) -> None:
        await count(caller, self._request)

        async def store(channel: str) -> Turn:
            turn = await start(frame, caller, channel)
            with suppress(RedisError):  # its answer is written all the same
                await self._following.follow(turn.conversation.uid)
            return turn

        asker = asker_of(caller, self._request)
        await begin(store, asker, recorder.observe, to=self.channel_name, ref=frame.ref)

    async def _stop(self, frame: Stop, caller: Caller) -> None:
        message = await database_sync_to_async(owned_message)(frame.message, caller)
        await stop(message)

    async def _resume(self, frame: Resume, caller: Caller) -> None:
        conversation = await database_sync_to_async(owned_conversation)(frame.conversation, caller)
        await self._following.follow(conversation.uid)
        # It may have got another one before this socket heard of any.
        await self._send(title_frame(conversation))
        if frame.message is None:
            return
        answer = await database_sync_to_async(owned_message)(frame.message, caller)
        if answer.conversation_id != conversation.pk:
            raise MessageNotFound(frame.message)
        await self._following.resume(answer, frame.seq, frame.reasoning_seq)

    # To the client

    async def told(self, event: dict[str, Any]) -> None:
        """A frame for a group of ours; `ref` is for the socket that has asked."""
        frame = event["frame"]
        if event.get("to") == self.channel_name:
            frame = {**frame, "ref": event["ref"]}
        await self._following.told(frame)

    async def refilled(self, event: dict[str, Any]) -> None:
        await self._following.refilled(event)

    async def _send_with_fragment(self, frame: dict[str, Any]) -> None:
        await self._send(await self._with_fragment(frame))

    async def _with_fragment(self, frame: dict[str, Any]) -> dict[str, Any]:
        make = {"accepted": fragments.turn_html, "done": fragments.message_html}.get(frame["type"])
        if make is None:
            return frame
        with suppress(Message.DoesNotExist):
            return {**frame, "html": await make(UUID(frame["message"]), self._request)}
        return frame

    async def _send(self, frame: dict[str, Any]) -> None:
        text = msgspec.json.encode(frame)
        if len(text) > LARGEST_FRAME:  # the page asks for itself anew
            text = msgspec.json.encode({k: v for k, v in frame.items() if k != "html"})
        await self.send(text.decode())
