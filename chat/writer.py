"""Computes one answer and tells everybody who follows its conversation.

It belongs to the conversation, not to a socket: it goes on when nobody listens. What
it sends carries `seq`, the length of the text so far in characters, so whoever misses
some notices, and asks on the writer's channel for the rest.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Container
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from inference import admission, runtime
from inference.admission import Asker, Reply
from inference.failures import failure
from inference.runtime import ContextPolicy, EngineError, Outcome, Piece, Progress

from . import branch, groups, parameters, prompt, running
from .listening import NOBODY, Admitted, Listener
from .models import Message, Status
from .telling import accepted_frame, end_frames, ids_of
from .thinking import ThinkingSplitter
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
LISTEN_AGAIN_SECONDS = 0.2
END_AGAIN_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # the database may be away for a while

INTERRUPTING = ("engine_restarting", "engine_stopped")

_writers: dict[UUID, "Writer"] = {}
_beginning: set[object] = set()  # turns that are being stored


def written_here() -> Container[UUID]:
    """The answers that have a writer in this process."""
    return _writers


def num_beginning() -> int:
    """Turns that are about to have one."""
    return len(_beginning)


class GivenUp(Exception):
    """Somebody took the answer for abandoned: it is not ours any more."""


async def begin(
    store: Callable[[str], Awaitable[Turn]],
    asker: Asker,
    on_end: Callable[[Outcome], None],
    listener: Listener = NOBODY,
    *,
    to: str = "",
    ref: str = "",
) -> Turn:
    """Store a turn and write its answer, also if whoever asks for it leaves meanwhile.

    `store` is given the channel on which the writer listens; the socket on channel `to`
    gets `ref` with the frame that says that the turn is accepted. Raises what `store` does.
    """
    channel = await get_channel_layer().new_channel()

    async def begun() -> Turn:
        mark = object()
        _beginning.add(mark)
        try:
            turn = await store(channel)
            Writer(turn, asker, on_end, listener).start(to, ref)
            return turn
        finally:
            _beginning.discard(mark)

    return await asyncio.shield(admission.in_background(begun()))


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
        self._splitter = ThinkingSplitter()
        self._checkpoint_at = time.monotonic()
        self._is_stopped = False
        self._admitting: asyncio.Task[Reply] | None = None
        self._reply: Reply | None = None
        self._rows: list[Message | None] = []

    def start(self, to: str = "", ref: str = "") -> None:
        _writers[self._answer.uid] = self
        admission.in_background(self._run(to, ref))

    async def _run(self, to: str, ref: str) -> None:
        listening = asyncio.create_task(self._listen())
        try:
            await self._tell(accepted_frame(self._turn), to=to, ref=ref)
            await self._write()
        except GivenUp:  # whoever did has told so
            logger.warning("an answer was given up while it was written")
        except asyncio.CancelledError:
            await self._end(Status.INTERRUPTED)
            raise
        except Exception as error:
            await self._fail(error)
        finally:
            listening.cancel()
            self._withdraw()
            if _writers.get(self._answer.uid) is self:
                del _writers[self._answer.uid]
            self._listener.end()
        if self._answer.status == Status.COMPLETE:
            await find_title(self._turn.question, self._answer, self._asker)

    # What others ask of it

    async def _listen(self) -> None:
        """Heed what comes on the answer's channel, from whichever process."""
        layer = get_channel_layer()
        while True:
            try:
                message = await layer.receive(self._answer.channel)
                match message["type"]:
                    case "stop":
                        self._is_stopped = True
                        self._withdraw()
                    case "refill":
                        await layer.send(message["to"], self._so_far())
            except Exception:  # a reader that is too slow, or a layer that is away for a while
                logger.exception("an answer's writer could not be asked")
                await asyncio.sleep(LISTEN_AGAIN_SECONDS)

    def _withdraw(self) -> None:
        if self._admitting:
            self._admitting.cancel()
        if self._reply:
            self._reply.cancel()

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
        if self._is_stopped:  # as it was admitted
            self._reply.cancel()
        self._splitter = splitter_after(self._answer, opens_thinking=self._reply.opens_thinking)
        self._listener.admit(Admitted(self._reply, len(self._rows)))
        async for piece in self._reply:
            if piece.progress:
                await self._tell_progress(piece.progress)
            elif piece.text:
                self._listener.hear(piece.text)
                await self._take(piece)
        await self._write_down(*self._splitter.finish())
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
                await self._say("loading", progress=round(progress, 3))
        return await self._admitting

    async def _take(self, piece: Piece) -> None:
        await self._write_down(*self._splitter.feed(piece.text))
        now, num_writers = time.monotonic(), len(_writers)
        if now - self._checkpoint_at > CHECKPOINT_SECONDS + num_writers * CHECKPOINT_SECONDS_EACH:
            self._checkpoint_at = now
            await self._checkpoint()
        # What comes meanwhile is one piece then.
        await asyncio.sleep(min(QUICKEST_SECONDS + num_writers * SECONDS_EACH, SLOWEST_SECONDS))

    async def _write_down(self, reasoning: str, text: str) -> None:
        # A NUL cannot be stored everywhere; a model may write any byte.
        reasoning, text = (part.replace("\0", "\ufffd") for part in (reasoning, text))
        if reasoning:
            self._reasoning += reasoning
            await self._say("reasoning", seq=len(self._reasoning), text=reasoning)
        if text:
            self._text += text
            await self._say("delta", seq=len(self._text), text=text)

    async def _checkpoint(self) -> None:
        keep = database_sync_to_async(running.checkpoint)
        try:
            is_ours = await keep(self._answer, self._text, self._reasoning)
        except Exception:  # the next one, or the end, has all of it
            logger.exception("an answer's checkpoint failed")
            return
        if not is_ours:
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
        self._listener.end(error)
        if self._reply is None:  # nobody else counts what was never computed
            self._on_end(error if isinstance(error, EngineError) else EngineError(said["message"]))
        await self._end(status, error_code=said["code"], error=said["message"])

    async def _end(self, status: Status, **fields: Any) -> None:
        """The row first: whoever hears of the end, and has missed something, reads it there."""
        fields = {"text": self._text, "reasoning": self._reasoning, **fields}
        for pause in (*END_AGAIN_SECONDS, None):
            try:
                await self._ended(status, fields)
                return
            except Exception:
                logger.exception("an answer's end is not written down")
            if pause is not None:  # else it is given up, in a while
                await asyncio.sleep(pause)

    async def _ended(self, status: Status, fields: dict[str, Any]) -> None:
        try:
            if not await database_sync_to_async(running.end)(self._answer, status, **fields):
                return
        except Message.DoesNotExist:  # its conversation was deleted: who looks at it hears so
            self._answer.status = Status.INTERRUPTED
        for frame in end_frames(self._answer):
            await self._tell(frame)

    async def _tell_progress(self, progress: Progress) -> None:
        if progress.kind == "queued":
            await self._say("queued", position=progress.position, eta=progress.eta)
        else:
            await self._say("prefill", done=progress.done, total=progress.total)

    async def _say(self, type: str, **fields: Any) -> None:
        await self._tell({"type": type, **ids_of(self._answer), **fields})

    async def _tell(self, frame: dict[str, Any], *, to: str = "", ref: str = "") -> None:
        """Whoever misses it notices: no answer ends because it could not be told."""
        try:
            await groups.tell(self._group, frame, to=to, ref=ref)
        except Exception as error:
            logger.warning("a frame was not told: %s", error, extra={"type": frame["type"]})


def splitter_after(answer: Message, *, opens_thinking: bool) -> ThinkingSplitter:
    """For what the model writes after that answer's beginning, or after the prompt's."""
    if answer.text:
        return ThinkingSplitter(has_answered=True)
    return ThinkingSplitter(has_begun=bool(answer.reasoning) or opens_thinking)
