"""A response that is not stored: nothing of it is written down, and it ends with its client."""

from collections.abc import AsyncGenerator, Iterable
from typing import Any

from channels.db import database_sync_to_async
from django.http import HttpResponseBase
from django.utils import timezone
from rest_framework.response import Response

from chat.branch import messages_up_to
from chat.ending import columns_of
from chat.making import Making
from chat.models import Message, Role, Status, StoredResponse
from chat.prompt import prompt_of
from chat.reading import AnswerReader, Said, Written, reader_after
from inference import admission
from inference.admission import Reply
from inference.api.context import CONTEXT, context_of
from inference.api.sse import KEEPALIVE, EventStream
from inference.failures import failure

from .asked import Asked
from .errors import error_frame
from .objects import at_the_start, response_object
from .streams import closing, frames
from .timeline import Timeline


async def passing(asked: Asked) -> HttpResponseBase:
    """All refusals are raised here."""
    making, place = asked.making(), asked.place
    before = await database_sync_to_async(messages_up_to)(place.previous) if place.previous else []
    rows = [*before, *asked.rows]
    prompt = await database_sync_to_async(prompt_of)(making.system_prompt, rows)
    reply = await _submitted(asked, making, prompt.messages)
    asked.view.answers = [reply]
    told = Passing(*_unstored(asked), reply, making)
    response: HttpResponseBase
    is_stream = asked.body.stream
    response = EventStream(told.events(), error_frame) if is_stream else await told.whole()
    response[CONTEXT] = context_of(reply, len(prompt.messages))
    return response


async def _submitted(asked: Asked, making: Making, messages: list[dict[str, Any]]) -> Reply:
    fields = {"messages": messages, "template_options": {**making.template_options}}
    assert making.tell is not None
    return await admission.generate(
        asked.asker,
        asked.model.slug,
        making.params,
        on_end=asked.recorder.observe,
        if_too_long=making.if_too_long,
        **making.tell(fields),
    )


def _unstored(asked: Asked) -> tuple[Message, StoredResponse]:
    """Rows as a stored response has them."""
    answer = Message(
        role=Role.ASSISTANT,
        model=asked.model.slug,
        status=Status.RUNNING,
        created_at=timezone.now(),
    )
    request = asked.body.repeated()
    return answer, StoredResponse(answer=answer, previous=asked.place.previous, request=request)


class Passing:
    """One under way; its row is never stored."""

    def __init__(
        self, answer: Message, asked: StoredResponse, reply: Reply, making: Making
    ) -> None:
        self._answer, self._asked, self._reply = answer, asked, reply
        parser = making.make_parser() if making.make_parser else None
        self._reader: AnswerReader = reader_after(
            answer, opens_thinking=reply.opens_thinking, parser=parser
        )
        self._written = Written()

    async def whole(self) -> Response:
        """Raises as a Reply does."""
        try:
            async for piece in self._reply:
                self._take(self._reader.feed(piece))
        finally:
            self._reply.cancel()
        self._finish()
        return Response(response_object(self._answer, self._asked, store=False))

    async def events(self) -> AsyncGenerator[bytes]:
        """
        Raises:
            Failed: it has.
        """
        timeline = Timeline(self._answer)
        first = at_the_start(response_object(self._answer, self._asked, store=False))
        yield frames(timeline.begin(first, is_queued=False))
        try:
            async for piece in self._reply:
                if not piece.text and not piece.tokens:
                    yield KEEPALIVE
                self._take(self._reader.feed(piece))
                if told := frames(timeline.grow(self._written)):
                    yield told
            self._finish()
        except Exception as error:
            self._fail(error)
        finally:
            self._reply.cancel()
        for told in closing(timeline, self._answer, self._asked, store=False):
            yield told

    def _take(self, events: Iterable[Said]) -> None:
        self._written.take_logprobs(self._reader.take_logprobs())
        for said in events:
            self._written.take(said)

    def _finish(self) -> None:
        self._take(self._reader.finish())
        self._change(**columns_of(self._reply.finish))

    def _fail(self, error: Exception) -> None:
        said = failure(error)[1]["error"]
        self._change(status=Status.FAILED, error_code=said["code"], error=said["message"])

    def _change(self, **columns: Any) -> None:
        for name, value in {**self._written.columns(), **columns}.items():
            setattr(self._answer, name, value)
