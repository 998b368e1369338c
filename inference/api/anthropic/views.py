"""Anthropic's endpoints. Parse, delegate, render, as OpenAI's do."""

from typing import Any

import msgspec
from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller
from inference import admission
from inference.api.body import checked
from inference.api.context import CONTEXT, context_of
from inference.api.endpoint import LimitedEndpoint
from inference.api.headers import header_list
from inference.api.idempotency import Dialect, idempotent
from inference.api.openapi.anthropic import AnthropicEvent, AnthropicMessage, AnthropicTokens
from inference.api.openapi.errors import AnthropicError
from inference.api.openapi.operation import HELLO, operation
from inference.api.reading import ChatReader
from inference.api.sse import EventStream
from inference.api.tokens import allowed, num_tokens
from inference.api.tools import ToolUse
from inference.recording import CHAT, Recorder

from .answers import events, whole
from .bodies import CountRequest, MessagesRequest
from .errors import error_event, handle_anthropic

ANTHROPICS = Dialect(error_event)


class AnthropicView(LimitedEndpoint):
    endpoint = "chat"
    error_body = AnthropicError

    def get_exception_handler(self) -> Any:
        return handle_anthropic

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """With the request's id where this dialect's clients look for it."""
        if request_id := getattr(request._request, "request_id", ""):
            response["request-id"] = request_id
        return super().finalize_response(request, response, *args, **kwargs)


class MessagesView(AnthropicView):
    @operation(
        "Answer a conversation",
        body=MessagesRequest,
        example={**HELLO, "max_tokens": 100},
        answer=AnthropicMessage,
        events=AnthropicEvent,
    )
    @idempotent(ANTHROPICS)
    async def post(self, request: Request) -> HttpResponseBase:
        with Recorder(CHAT) as recorder:
            body = checked(MessagesRequest, request.data)
            ignored, prompt, params = body.ignored_params(), body.prompt(), body.params()
            use = await _tool_use(request, body)
            params = msgspec.structs.replace(params, grammar=use.grammar(params.grammar))
            asked = use.prompt(prompt)
            admission.check_length(asked)
            reply = await admission.generate(
                *(self.asker(request), body.model, params), on_end=recorder.observe, **asked
            )
            self.answers = [reply]
            reader = ChatReader(
                use.parser(), is_thinking=reply.opens_thinking, prefix=prompt["prefix"]
            )
            response: HttpResponseBase
            if body.stream:
                response = EventStream(events(reply, reader), error_event)
            else:
                response = Response(await whole(reply, reader))
        response[CONTEXT] = context_of(reply, len(asked["messages"]))
        if ignored:
            response["x-ignored-params"] = header_list(ignored)
        return response


class CountTokensView(AnthropicView):
    @operation(
        "How many tokens a conversation has",
        body=CountRequest,
        example=HELLO,
        answer=AnthropicTokens,
    )
    async def post(self, request: Request) -> HttpResponseBase:
        body = checked(CountRequest, request.data)
        body.ignored_params()
        prompt = body.prompt()
        prompt = (await _tool_use(request, body)).prompt(prompt)
        model = await allowed(request, body.model, prompt)
        return Response({"input_tokens": await num_tokens(model, prompt)})


async def _tool_use(request: Request, body: CountRequest) -> ToolUse:
    """
    Raises:
        ModelNotFound, Forbidden: as `admission.allowed_model` does.
        ApiError: the tools make no sense.
    """
    return body.tool_use(await admission.allowed_model(caller(request), body.model))
