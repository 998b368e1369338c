"""Anthropic's endpoints. Parse, delegate, render, as OpenAI's do."""

from typing import Any

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from inference import admission, runtime
from inference.api.body import checked
from inference.api.context import CONTEXT, context_of
from inference.api.endpoint import LimitedEndpoint
from inference.api.idempotency import Dialect, idempotent
from inference.api.sse import EventStream
from inference.api.tokens import allowed
from inference.api.views import header_list
from inference.models import LanguageModel
from inference.recording import CHAT, Recorder

from .answers import events, whole
from .bodies import CountRequest, MessagesRequest
from .errors import error_event, handle_anthropic

ANTHROPICS = Dialect(error_event)


class AnthropicView(LimitedEndpoint):
    endpoint = "chat"

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
    @idempotent(ANTHROPICS)
    async def post(self, request: Request) -> HttpResponseBase:
        with Recorder(CHAT) as recorder:
            body = checked(MessagesRequest, request.data)
            ignored, prompt = body.ignored_params(), body.prompt()
            reply = await admission.generate(
                self.asker(request),
                body.model,
                body.params(),
                on_end=recorder.observe,
                **prompt,
            )
            self.answers = [reply]
            response: HttpResponseBase
            if body.stream:
                response = EventStream(events(reply), error_event)
            else:
                response = Response(await whole(reply))
        response[CONTEXT] = context_of(reply, len(prompt["messages"]))
        if ignored:
            response["x-ignored-params"] = header_list(ignored)
        return response


class CountTokensView(AnthropicView):
    async def post(self, request: Request) -> HttpResponseBase:
        body = checked(CountRequest, request.data)
        body.ignored_params()
        prompt = body.prompt()
        model = await allowed(request, body.model, prompt)
        return Response({"input_tokens": await _num_tokens(model, prompt)})


async def _num_tokens(model: LanguageModel, prompt: dict[str, Any]) -> int:
    messages, options = prompt["messages"], prompt["template_options"]
    number = await runtime.count_tokens(model, messages, template_options=options, load=True)
    of_prefix = await runtime.count_texts(model, [prompt["prefix"]], load=True)
    assert number is not None
    assert of_prefix is not None
    return number + of_prefix[0]
