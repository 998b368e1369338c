"""`/chat/completions`, in both dialects."""

from typing import Any

from django.http import HttpResponseBase
from pydantic import RootModel
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from inference.api.body import checked
from inference.api.context import CONTEXT, context_of
from inference.api.endpoint import LimitedEndpoint
from inference.api.errors import handle
from inference.api.idempotency import OPENAIS, idempotent
from inference.api.legacy import TEXT_CHAT, handle_legacy, text_error, text_events
from inference.api.legacy_bodies import LegacyChat
from inference.api.openapi.answers import ChatCompletion
from inference.api.openapi.errors import Error, OlderError
from inference.api.openapi.older import EITHER_EVENTS
from inference.api.openapi.operation import HELLO, operation
from inference.api.schemas import ChatCompletionRequest
from inference.api.sse import EventStream
from inference.api.views import chat_completion
from inference.recording import CHAT, Recorder

from .answering import answered


class EitherError(RootModel[OlderError | Error]):
    """In the dialect of the request."""


class ChatView(LimitedEndpoint):
    """The body says in which dialect it is, and gets that one back."""

    endpoint = "chat"
    error_body = EitherError

    @operation(
        "Answer a conversation; with `model` it is OpenAI's",
        body=(LegacyChat, ChatCompletionRequest),
        example=HELLO,
        answer=ChatCompletion,
        events=EITHER_EVENTS,
        is_idempotent=True,
    )
    async def post(self, request: Request) -> HttpResponseBase:
        try:
            answer = self._text if is_legacy(request) else self._openais
        except APIException:  # no JSON: neither is asked, and it counts all the same
            with Recorder(CHAT):
                raise
        return await answer(request)

    @idempotent(TEXT_CHAT)
    async def _text(self, request: Request) -> HttpResponseBase:
        with Recorder(CHAT) as recorder:
            return await legacy_chat(self, request, recorder)

    @idempotent(OPENAIS)
    async def _openais(self, request: Request) -> HttpResponseBase:
        with Recorder(CHAT) as recorder:
            return await chat_completion(self, request, recorder)

    def get_exception_handler(self) -> Any:
        try:
            return handle_legacy if is_legacy(self.request) else handle
        except APIException:  # no JSON
            return handle


def is_legacy(request: Request) -> bool:
    return "model-name" in request.data


async def legacy_chat(
    view: LimitedEndpoint, request: Request, recorder: Recorder
) -> HttpResponseBase:
    body = checked(LegacyChat, request.data)
    answer = await answered(view.asker(request), body, recorder)
    response = EventStream(text_events(answer.pieces), text_error)
    if answer.admitted:
        view.answers = [answer.admitted.reply]
        response[CONTEXT] = context_of(*answer.admitted)
    return response
