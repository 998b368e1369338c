"""Computes one answer and tells everybody who follows its conversation.

It belongs to the conversation, not to a socket: it goes on when nobody listens. What
it sends carries `seq`, the length of the text so far in characters, so whoever misses
some notices, and asks on the writer's channel for the rest.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Container, Iterable
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from inference import admission, runtime
from inference.admission import Asker, Reply
from inference.failures import failure
from inference.runtime import EngineError, Outcome, Piece, Progress
from inference.tools import Text, format_of

from . import branch, groups, running
from .ending import columns_of
from .errors import ConversationBusy
from .gate import gate
from .listening import NOBODY, Admitted, Listener
from .making import Fields, Making
from .models import Message, Status
from .prompt import Prompt, beginning, mentions_functions, prompt_of
from .reading import AnswerReader, Said, Thought, Written, reader_after
from .telling import accepted_frame, end_frames, ids_of
from .titles import find_title
from .turns import Turn
from .unwritten import give_up_unwritten

logger = logging.getLogger(__name__)

# Text is sent as it comes, but not more often; with more answers under way, less often.
QUICKEST_SECONDS = 0.02
SLOWEST_SECONDS = 0.05
SECONDS_EACH = 0.00015
CHECKPOINT_SECONDS = 1.0
CHECKPOINT_SECONDS_EACH = 0.01
LOADING_SECONDS = 0.25  # between two looks at how far a model is loaded
LISTEN_AGAIN_SECONDS = 0.2
LISTEN_NO_MORE_SECONDS = 2.0
END_AGAIN_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # the database may be away for a while

INTERRUPTING = ("engine_restarting", "engine_stopped")

_writers: dict[UUID, "Writer"] = {}
_beginning: set[object] = set()  # turns that are being stored


def written_here() -> Container[UUID]:
    """The answers that have a writer in this process."""
    return _writers


def written_so_far(answer: UUID) -> Written | None:
    """What there is of it, and what comes; None if it has no writer in this process."""
    writer = _writers.get(answer)
    return writer.written if writer else None


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
    making: Making | None = None,
    to: str = "",
    ref: str = "",
) -> Turn:
    """Store a turn and write its answer, also if whoever asks for it leaves meanwhile.

    `store` is given the channel on which the writer listens; the socket on channel `to`
    gets `ref` with the frame that says that the turn is accepted. The answer is made as
    its conversation says, unless `making` does. Raises what `store` does.
    """
    channel = await get_channel_layer().new_channel()

    async def begun() -> Turn:
        mark = object()
        _beginning.add(mark)
        try:
            turn = await _stored(store, channel)
            Writer(turn, asker, on_end, listener, making).start(to, ref)
            return turn
        finally:
            _beginning.discard(mark)

    return await asyncio.shield(admission.in_background(begun()))


async def _stored(store: Callable[[str], Awaitable[Turn]], channel: str) -> Turn:
    """In a conversation of which a process that has died had an answer, too."""
    try:
        async with gate():
            return await store(channel)
    except ConversationBusy as busy:
        if not await give_up_unwritten(busy.conversation_id):
            raise
    async with gate():
        return await store(channel)


class Writer:
    """One answer, from the wait for its model to the row's last update."""

    def __init__(
        self,
        turn: Turn,
        asker: Asker,
        on_end: Callable[[Outcome], None],
        listener: Listener = NOBODY,
        making: Making | None = None,
    ) -> None:
        self._turn = turn
        self._answer = turn.answer
        self._channel = turn.answer.channel  # its row forgets that at the end
        self._asker = asker
        self._on_end = on_end
        self._listener = listener
        self._making = making
        self._group = groups.of_conversation(turn.conversation.uid)
        self._ids = ids_of(turn.answer)
        self.written = Written.of(turn.answer)
        self._checkpoint_at = time.monotonic()
        self._is_stopped = False
        self._admitting: asyncio.Task[Reply] | None = None
        self._reply: Reply | None = None
        self._prompt = Prompt([], [])

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
            self._withdraw()
            if _writers.get(self._answer.uid) is self:
                del _writers[self._answer.uid]
            self.written.end()
            self._listener.end()
            await self._listen_no_more(listening)
        if self._answer.status == Status.COMPLETE and (
            not self._making or self._making.wants_title
        ):
            await find_title(self._turn.question, self._answer, self._asker)

    # What others ask of it

    async def _listen(self) -> None:
        """Heed what comes on the answer's channel, from whichever process."""
        layer = get_channel_layer()
        while True:
            try:
                message = await layer.receive(self._channel)
                match message["type"]:
                    case "stop":
                        self._is_stopped = True
                        self._withdraw()
                    case "refill":
                        await layer.send(message["to"], self._so_far())
                    case "over":
                        return
            except Exception:  # a reader that is too slow, or a layer that is away for a while
                logger.exception("an answer's writer could not be asked")
                await asyncio.sleep(LISTEN_AGAIN_SECONDS)

    async def _listen_no_more(self, listening: "asyncio.Task[None]") -> None:
        """Told and not cancelled: what comes to this process just then, for whomever, would be
        lost in channels_redis, between its BZPOPMIN and its backup.
        """
        try:
            await get_channel_layer().send(self._channel, {"type": "over"})
            await asyncio.wait([listening], timeout=LISTEN_NO_MORE_SECONDS)
        except Exception as error:  # the layer is away, and loses nothing more
            logger.warning("an answer's writer could not be told of its end: %s", error)
        finally:
            listening.cancel()

    def _withdraw(self) -> None:
        if self._admitting:
            self._admitting.cancel()
        if self._reply:
            self._reply.cancel()

    def _so_far(self) -> dict[str, Any]:
        return {
            "type": "refilled",
            **self._ids,
            **self.written.columns(),
        }

    # Writing

    async def _write(self) -> None:
        making = self._making or Making.of(self._turn.conversation)
        try:
            self._reply = await self._admitted(making)
        except asyncio.CancelledError:
            if not self._is_stopped:
                raise
            await self._end(Status.STOPPED, finish_reason="cancelled")
            return
        if self._is_stopped:  # as it was admitted
            self._reply.cancel()
        reader = _reader(making, self._answer, self._reply)
        self._listener.admit(Admitted(self._reply, len(self._prompt.messages)))
        async for piece in self._reply:
            if piece.progress:
                await self._tell_progress(piece.progress)
            elif piece.text or piece.logprobs:
                self._listener.hear(piece.text)
                await self._take(piece, reader)
        await self._write_down(reader.finish(), reader)
        await self._finish(self._reply)

    async def _admitted(self, making: Making) -> Reply:
        """Queue the request; the model may have to be loaded first."""
        answer = self._answer
        fields = await self._fields(making)
        self._admitting = asyncio.create_task(
            admission.generate(
                self._asker,
                answer.model,
                making.params,
                on_end=self._on_end,
                with_progress=True,
                if_too_long=making.if_too_long,
                **fields,
            )
        )
        if self._is_stopped:
            self._admitting.cancel()
        while not (await asyncio.wait([self._admitting], timeout=LOADING_SECONDS))[0]:
            progress = runtime.load_progress(answer.model)
            if progress is not None:
                await self._say("loading", progress=round(progress, 3))
        return await self._admitting

    async def _fields(self, making: Making) -> Fields:
        """Of the prompt."""
        branch_rows = await database_sync_to_async(branch.messages_up_to)(self._turn.question)
        made = prompt_of(making.system_prompt, branch_rows)
        fields: Fields = {
            "messages": made.messages,
            "prefix": beginning(self._answer),
            "template_options": {**making.template_options},
        }
        if making.tell:
            fields = making.tell(fields)
        elif mentions_functions(branch_rows):
            model = await admission.allowed_model(self._asker.caller, self._answer.model)
            fields["messages"] = format_of(model.chat_template).messages(made.messages, ())
        # What tells the model of functions may stand before the rest.
        num_more = len(fields["messages"]) - len(made.rows)
        first: list[list[Message]] = [[] for _ in range(num_more)]
        self._prompt = Prompt(fields["messages"], [*first, *made.rows])
        return fields

    async def _take(self, piece: Piece, reader: AnswerReader) -> None:
        await self._write_down(reader.feed(piece), reader)
        now, num_writers = time.monotonic(), len(_writers)
        if now - self._checkpoint_at > CHECKPOINT_SECONDS + num_writers * CHECKPOINT_SECONDS_EACH:
            self._checkpoint_at = now
            await self._checkpoint()
        # What comes meanwhile is one piece then.
        await asyncio.sleep(min(QUICKEST_SECONDS + num_writers * SECONDS_EACH, SLOWEST_SECONDS))

    async def _write_down(self, events: Iterable[Said], reader: AnswerReader) -> None:
        self.written.take_logprobs(reader.take_logprobs())
        for said in events:
            before = self.written.reasoning, self.written.text
            self.written.take(said)
            if isinstance(said, Thought):
                await self._say_more("reasoning", self.written.reasoning, before[0])
            elif isinstance(said, Text):
                await self._say_more("delta", self.written.text, before[1])

    async def _say_more(self, type: str, text: str, before: str) -> None:
        await self._say(type, seq=len(text), text=text[len(before) :])

    async def _checkpoint(self) -> None:
        keep = database_sync_to_async(running.checkpoint)
        try:
            is_ours = await keep(self._answer, **self.written.columns())
        except Exception:  # the next one, or the end, has all of it
            logger.exception("an answer's checkpoint failed")
            return
        if not is_ours:
            raise GivenUp

    # The end

    async def _finish(self, reply: Reply) -> None:
        await self._end(
            **columns_of(reply.finish),
            model=reply.model.slug,
            context_length=reply.context_length,
            unseen=[row.uid.hex for row in self._prompt.rows_of(reply.dropped)],
        )

    async def _fail(self, error: Exception) -> None:
        said = failure(error)[1]["error"]
        code = error.code if isinstance(error, EngineError) else said["code"]
        status = Status.INTERRUPTED if code in INTERRUPTING else Status.FAILED
        if self._reply is None:  # nobody else counts what was never computed, or reads what it said
            self._on_end(error if isinstance(error, EngineError) else EngineError(said["message"]))
            self._listener.end(error)
        try:
            await self._end(status, error_code=said["code"], error=said["message"])
        finally:
            self._listener.end(error)

    async def _end(self, status: Status, **fields: Any) -> None:
        """The row first: whoever hears of the end, and has missed something, reads it there."""
        fields = {**self.written.columns(), **fields}
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
        await self._tell({"type": type, **self._ids, **fields})

    async def _tell(self, frame: dict[str, Any], *, to: str = "", ref: str = "") -> None:
        """Whoever misses it notices: no answer ends because it could not be told."""
        try:
            await groups.tell(self._group, frame, to=to, ref=ref)
        except Exception as error:
            logger.warning("a frame was not told: %s", error, extra={"type": frame["type"]})


def _reader(making: Making, answer: Message, reply: Reply) -> AnswerReader:
    parser = making.make_parser() if making.make_parser else None
    return reader_after(answer, opens_thinking=reply.opens_thinking, parser=parser)
