"""Computes one answer and tells everybody who follows its conversation.

It belongs to the conversation, not to a socket: it goes on when nobody listens. What
it sends carries `seq`, the length of the text so far in characters, so whoever misses
some notices, and asks on the writer's channel for the rest.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from inference import admission, runtime
from inference.admission import Asker, Reply
from inference.failures import failure
from inference.runtime import ContextPolicy, EngineError, Outcome, Piece, Progress
from inference.thinking import ThinkingSplitter

from . import branch, groups, parameters, prompt, turns
from .listening import NOBODY, Admitted, Listener
from .models import Message, Status
from .titles import find_title
from .turns import Turn

logger = logging.getLogger(__name__)

# Text is sent as it comes, but not more often; with more answers under way, less often.
QUICKEST_SECONDS = 0.02
SLOWEST_SECONDS = 0.05
SECONDS_EACH = 0.00015
CHECKPOINT_SECONDS = 1.0
CHECKPOINT_SECONDS_EACH = 0.01
LOADING_SECONDS = 0.25  # between two looks at how far a model is loaded

INTERRUPTING = ("engine_restarting", "engine_stopped")

_writers: dict[UUID, "Writer"] = {}


def is_written_here(answer: Message) -> bool:
    return answer.uid in _writers


class GivenUp(Exception):
    """Somebody took the answer for abandoned: it is not ours any more."""


class Writer:
    """One answer, from the wait for its model to the row's last update."""

    def __init__(
        self,
        turn: Turn,
        asker: Asker,
        on_end: Callable[[Outcome], None],
        listener: Listener = NOBODY,
    ) -> None:
        self._turn = turn
        self._answer = turn.answer
        self._asker = asker
        self._on_end = on_end
        self._listener = listener
        self._group = groups.of_conversation(turn.conversation.uid)
        self._text = turn.answer.text
        self._reasoning = turn.answer.reasoning
        self._splitter = ThinkingSplitter(has_begun=bool(self._reasoning and not self._text))
        self._splitter.feed(self._text)  # thoughts come before it
        self._started_at = self._checkpoint_at = time.monotonic()
        self._is_stopped = False
        self._admitting: asyncio.Task[Reply] | None = None
        self._reply: Reply | None = None
        self._rows: list[Message | None] = []

    def start(self) -> None:
        _writers[self._answer.uid] = self
        admission.in_background(self._run())

    async def _run(self) -> None:
        listening = asyncio.create_task(self._listen())
        try:
            await self._write()
        except GivenUp:
            logger.warning("an answer was given up while it was written")
        except asyncio.CancelledError:
            await self._end(Status.INTERRUPTED)
            raise
        except Exception as error:
            await self._fail(error)
        finally:
            listening.cancel()
            if self._reply:
                self._reply.cancel()
            _writers.pop(self._answer.uid, None)
            self._listener.end()
        if self._answer.status == Status.COMPLETE:
            await find_title(self._turn.question, self._answer, self._asker)

    # What others ask of it

    async def _listen(self) -> None:
        """Heed what comes on the answer's channel, from whichever process."""
        layer = get_channel_layer()
        while True:
            message = await layer.receive(self._answer.channel)
            match message["type"]:
                case "stop":
                    self._stop()
                case "refill":
                    await layer.send(message["to"], self._so_far())

    def _stop(self) -> None:
        self._is_stopped = True
        if self._reply:
            self._reply.cancel()
        elif self._admitting:
            self._admitting.cancel()

    def _so_far(self) -> dict[str, Any]:
        return {
            "type": "refilled",
            **ids_of(self._answer),
            "text": self._text,
            "reasoning": self._reasoning,
        }

    # Writing

    async def _write(self) -> None:
        try:
            self._reply = await self._admitted()
        except asyncio.CancelledError:
            if not self._is_stopped:
                raise
            await self._end(Status.STOPPED, finish_reason="cancelled")
            return
        self._listener.admit(Admitted(self._reply, len(self._rows)))
        async for piece in self._reply:
            if piece.progress:
                await self._tell_progress(piece.progress)
            elif piece.text:
                self._listener.hear(piece.text)
                await self._take(piece)
        await self._say(*self._splitter.finish())
        await self._finish(self._reply)

    async def _admitted(self) -> Reply:
        """Queue the request; the model may have to be loaded first."""
        answer = self._answer
        params = parameters.sampling(self._turn.conversation.parameters)
        rows = await database_sync_to_async(branch.messages_up_to)(self._turn.question)
        messages, self._rows = prompt.messages_for_model(self._turn.conversation, rows)
        self._admitting = asyncio.create_task(
            admission.generate(
                self._asker,
                answer.model,
                params,
                on_end=self._on_end,
                messages=messages,
                prefix=prompt.beginning(answer),
                with_progress=True,
                if_too_long=ContextPolicy.DROP_OLDEST,  # better than no answer; the page says so
            )
        )
        if self._is_stopped:
            self._admitting.cancel()
        while not (await asyncio.wait([self._admitting], timeout=LOADING_SECONDS))[0]:
            progress = runtime.load_progress(answer.model)
            if progress is not None:
                await self._tell("loading", progress=round(progress, 3))
        return await self._admitting

    async def _take(self, piece: Piece) -> None:
        await self._say(*self._splitter.feed(piece.text))
        now, num_writers = time.monotonic(), len(_writers)
        if now - self._checkpoint_at > CHECKPOINT_SECONDS + num_writers * CHECKPOINT_SECONDS_EACH:
            self._checkpoint_at = now
            await self._checkpoint()
        # What comes meanwhile is one piece then.
        await asyncio.sleep(min(QUICKEST_SECONDS + num_writers * SECONDS_EACH, SLOWEST_SECONDS))

    async def _say(self, reasoning: str, text: str) -> None:
        if reasoning:
            self._reasoning += reasoning
            await self._tell("reasoning", seq=len(self._reasoning), text=reasoning)
        if text:
            self._text += text
            await self._tell("delta", seq=len(self._text), text=text)

    async def _checkpoint(self) -> None:
        keep = database_sync_to_async(turns.checkpoint)
        if not await keep(self._answer, self._text, self._reasoning):
            raise GivenUp

    # The end

    async def _finish(self, reply: Reply) -> None:
        usage, timings = reply.finish.usage, reply.finish.timings
        reason = str(reply.finish.reason)
        await self._end(
            Status.STOPPED if reason == "cancelled" else Status.COMPLETE,
            finish_reason=reason,
            model=reply.model.slug,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            first_token_seconds=timings.queued + timings.prefill,
            decode_seconds=timings.decode,
            context_length=reply.context_length,
            unseen=[row.uid.hex for i in reply.dropped if (row := self._rows[i])],
        )

    async def _fail(self, error: Exception) -> None:
        said = failure(error)[1]["error"]
        code = error.code if isinstance(error, EngineError) else said["code"]
        status = Status.INTERRUPTED if code in INTERRUPTING else Status.FAILED
        await self._end(status, error_code=said["code"], error=said["message"])
        self._listener.end(error)

    async def _end(self, status: Status, **fields: Any) -> None:
        """The row first: whoever hears of the end, and has missed something, reads it there."""
        end = database_sync_to_async(turns.end)
        with contextlib.suppress(Message.DoesNotExist):  # the conversation is gone
            fields = {"text": self._text, "reasoning": self._reasoning, **fields}
            if await end(self._answer, status, **fields):
                for frame in end_frames(self._answer):
                    await groups.tell(self._group, frame)

    async def _tell_progress(self, progress: Progress) -> None:
        if progress.kind == "queued":
            await self._tell("queued", position=progress.position, eta=progress.eta)
        else:
            await self._tell("prefill", done=progress.done, total=progress.total)

    async def _tell(self, type: str, **fields: Any) -> None:
        await groups.tell(self._group, {"type": type, **ids_of(self._answer), **fields})


def ids_of(answer: Message) -> dict[str, str]:
    return {"conversation": answer.conversation.uid.hex, "message": answer.uid.hex}


def accepted_frame(turn: Turn) -> dict[str, Any]:
    """Tells that an answer begins, and from where it goes on."""
    answer = turn.answer
    lengths = {"seq": len(answer.text), "reasoning_seq": len(answer.reasoning)}
    return {"type": "accepted", **ids_of(answer), "question": turn.question.uid.hex, **lengths}


def end_frames(answer: Message) -> Iterator[dict[str, Any]]:
    """Tell how an answer has ended; seconds are of the wall."""
    ids = ids_of(answer)
    if answer.error:
        yield {"type": "error", **ids, "code": answer.error_code, "text": answer.error}
    if answer.completion_tokens is not None:
        yield {
            "type": "usage",
            **ids,
            "prompt_tokens": answer.prompt_tokens,
            "cached_tokens": answer.cached_tokens,
            "completion_tokens": answer.completion_tokens,
            "first_token_seconds": answer.first_token_seconds,
            "tokens_per_second": answer.tokens_per_second,
            "context_length": answer.context_length,
            "unseen": answer.unseen,
        }
    yield {
        "type": "done",
        **ids,
        "seq": len(answer.text),
        "reasoning_seq": len(answer.reasoning),
        "status": str(answer.status),
        "finish_reason": answer.finish_reason,
    }
