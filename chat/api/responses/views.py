"""Responses: OpenAI's newer API, whose threads are the chat's conversations."""

import asyncio
from contextlib import aclosing
from functools import partial
from typing import Any

from channels.db import database_sync_to_async
from django.http import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller
from chat import responses
from chat.abandoned import stop
from chat.branch import messages_up_to
from chat.errors import ConversationNotFound, PreviousResponseNotFound, ResponseNotFound
from chat.models import Message
from chat.responses import Place, find_answer
from chat.watching import watch
from inference import admission
from inference.api.body import checked
from inference.api.endpoint import Endpoint, LimitedEndpoint
from inference.api.headers import header_list
from inference.api.idempotency import Dialect, idempotent
from inference.api.openapi.operation import MODEL, operation
from inference.api.openapi.responses import (
    DeletedResponse,
    ResponseEvent,
    ResponseItems,
    ResponseObject,
)
from inference.api.sse import EventStream
from inference.recording import CHAT, Recorder

from .asked import Asked
from .bodies import ResponsesRequest, check_storable
from .creating import stored
from .errors import error_frame, handle_responses
from .finding import find_item
from .ids import uid_of
from .items import items_of
from .objects import how_asked, response_object
from .paging import LARGEST_PAGE, page_of
from .passing import passing
from .query import flag, number
from .streams import events

RESPONSES = Dialect(error_frame)
PATIENCE_SECONDS = 10.0  # of a client that cancels, until the engine has let go


class ResponsesView(LimitedEndpoint):
    endpoint = "chat"

    def get_exception_handler(self) -> Any:
        return handle_responses

    @operation(
        "Answer, and keep the thread as a conversation",
        body=ResponsesRequest,
        example={"model": MODEL, "input": "Say hello."},
        answer=ResponseObject,
        events=ResponseEvent,
        errors=(409,),
    )
    @idempotent(RESPONSES)
    async def post(self, request: Request) -> HttpResponseBase:
        with Recorder(CHAT) as recorder:
            body = checked(ResponsesRequest, request.data)
            ignored = body.check()
            check_storable(request.data)
            model = await admission.allowed_model(caller(request), body.model)
            place, rows = await database_sync_to_async(_said)(body, caller(request).owner)
            asked = Asked(self, self.asker(request), body, rows, model, place, recorder)
            response = await (stored(asked) if body.store else passing(asked))
        if ignored:
            response["x-ignored-params"] = header_list(ignored)
        return response


def _said(body: ResponsesRequest, owner: str) -> tuple[Place, list[Message]]:
    """Where, and what. Raises as `place_of` and `ResponsesRequest.rows` do."""
    return place_of(body, owner), body.rows(partial(find_item, owner=owner))


def place_of(body: ResponsesRequest, owner: str) -> Place:
    """
    Raises:
        PreviousResponseNotFound, ConversationNotFound: there is none, or it is somebody else's.
    """
    if (name := body.previous_response_id) is not None:
        previous = find_answer(uid_of("resp", name), owner)
        if previous is None:
            raise PreviousResponseNotFound(name)
        return responses.place_after(previous)
    if (name := body.conversation_name) is not None:
        place = responses.place_in(uid_of("conv", name), owner)
        if place is None:
            raise ConversationNotFound(name[:100])
        return place
    return Place()


class StoredView(Endpoint):
    """Of one that is the caller's; anybody else's is not there."""

    endpoint = "chat"

    def get_exception_handler(self) -> Any:
        return handle_responses

    async def answer(self, request: Request, name: str) -> Message:
        """
        Raises:
            ResponseNotFound: there is none, or it is somebody else's.
        """
        find = database_sync_to_async(find_answer)
        answer = await find(uid_of("resp", name), caller(request).owner)
        if answer is None:
            raise ResponseNotFound(name)
        return answer


class ResponseView(StoredView):
    @operation(
        "A response as it is now, or its events",
        answer=ResponseObject,
        events=ResponseEvent,
        query={
            "stream": {"type": "boolean"},
            "starting_after": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
        },
    )
    async def get(self, request: Request, response_id: str) -> HttpResponseBase:
        answer = await self.answer(request, response_id)
        after = number(request, "starting_after", at_least=0)
        if flag(request, "stream"):
            after = -1 if after is None else after
            return EventStream(events(answer, how_asked(answer), starting_after=after), error_frame)
        return Response(response_object(answer, how_asked(answer)))

    @operation("Delete a response", answer=DeletedResponse)
    async def delete(self, request: Request, response_id: str) -> Response:
        answer = await self.answer(request, response_id)
        await database_sync_to_async(responses.delete)(answer, timezone.now())
        return Response({"id": response_id, "object": "response", "deleted": True})


class CancelView(StoredView):
    @operation("Stop a response", answer=ResponseObject)
    async def post(self, request: Request, response_id: str) -> Response:
        """What it is when the engine has let go of it; one that is over stays as it is."""
        answer = await self.answer(request, response_id)
        if answer.is_running:
            await stop(answer)
            try:
                async with asyncio.timeout(PATIENCE_SECONDS), aclosing(watch(answer)) as watched:
                    async for _ in watched:
                        pass
            except TimeoutError:  # it is told to end, and says so when it is asked again
                pass
            answer = await self.answer(request, response_id)
        return Response(response_object(answer, how_asked(answer)))


class InputItemsView(StoredView):
    @operation(
        "What the model was to read",
        answer=ResponseItems,
        query={
            "limit": {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE},
            "order": {"type": "string", "enum": ["desc", "asc"]},
            "after": {"type": "string"},
        },
    )
    async def get(self, request: Request, response_id: str) -> Response:
        """All that the model was to read, earlier turns too, as OpenAI's are."""
        answer = await self.answer(request, response_id)
        rows = await database_sync_to_async(_before)(answer)
        return Response(page_of([item for row in rows for item in items_of(row)], request))


def _before(answer: Message) -> list[Message]:
    parent = answer.parent
    if parent is None:
        return []
    parent.conversation = answer.conversation
    return messages_up_to(parent)
