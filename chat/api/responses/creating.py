"""A response that is stored: a turn of a conversation, which goes on without its client."""

from functools import partial

from channels.db import database_sync_to_async
from django.http import HttpResponseBase
from rest_framework.response import Response

from chat import responses
from chat.errors import ResponseNotFound
from chat.listening import Hearing
from chat.models import Message
from chat.responses import Request
from chat.turns import Turn
from chat.writer import begin
from inference.api.context import CONTEXT, context_of
from inference.api.sse import EventStream

from .asked import Asked
from .bodies import ResponsesRequest
from .errors import error_frame
from .ids import response_id
from .objects import how_asked, response_object
from .streams import events


async def stored(asked: Asked) -> HttpResponseBase:
    """All refusals are raised here, but for those of what is computed in the background."""
    making, hearing = asked.making(), Hearing()
    turn = await begin(
        partial(_store, asked), asked.asker, asked.recorder.observe, hearing, making=making
    )
    admitted = None
    if asked.body.background:
        hearing.cancel()
    else:
        take_back = database_sync_to_async(responses.take_back)
        admitted = await hearing.admission(partial(take_back, turn, asked.place))
        asked.view.answers = [admitted.reply] if admitted else []
    response = await _answered(asked.body, turn, hearing)
    if admitted:
        response[CONTEXT] = context_of(*admitted)
    return response


async def _store(asked: Asked, channel: str) -> Turn:
    body = asked.body
    request = Request(
        rows=asked.rows,
        model=asked.model.slug,
        instructions=body.instructions,
        repeated=body.repeated(),
        is_background=body.background,
    )
    say = database_sync_to_async(responses.say)
    return await say(request, asked.place, asked.asker.caller, channel)


async def _answered(body: ResponsesRequest, turn: Turn, hearing: Hearing) -> HttpResponseBase:
    if body.stream:
        hearing.cancel()
        answer = await database_sync_to_async(_row)(turn.answer)
        return EventStream(events(answer, how_asked(answer)), error_frame)
    if not body.background:
        try:
            async for _ in hearing:
                pass
        finally:
            hearing.cancel()
    answer = await database_sync_to_async(_row)(turn.answer)
    return Response(response_object(answer, how_asked(answer)))


def _row(answer: Message) -> Message:
    """
    Raises:
        ResponseNotFound: somebody has deleted it meanwhile.
    """
    row = responses.find_answer(answer.uid, answer.conversation.owner)
    if row is None:
        raise ResponseNotFound(response_id(answer))
    return row
