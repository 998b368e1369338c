"""OpenAI's endpoints. Parse, delegate, render: no inference logic here."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller
from inference import admission, metrics, runtime
from inference.admission import Reply
from inference.models import LanguageModel, Task
from inference.recording import CHAT, COMPLETIONS, Recorder
from inference.runtime import SamplingParams
from inference.tools import CallParser

from .answers import ChatAnswer, TextAnswer
from .body import checked
from .context import CONTEXT, context_of
from .endpoint import Endpoint, LimitedEndpoint
from .generating import chunks, submitted, whole
from .headers import header_list
from .idempotency import OPENAIS, idempotent
from .openapi.answers import (
    ChatCompletion,
    ChatCompletionChunk,
    Completion,
    CompletionChunk,
    Model,
    Models,
)
from .openapi.operation import HELLO, STORY, operation
from .refusals import NoSuchPath
from .schemas import ChatCompletionRequest, CompletionRequest, GenerationRequest
from .sse import EventStream

RECEIPT = "x-receipt"
CAPABILITIES = {
    Task.GENERATE: ["completion", "chat"],
    Task.EMBED: ["embedding"],
    Task.RERANK: ["rerank"],
}


async def answered(
    view: LimitedEndpoint,
    request: Request,
    body: GenerationRequest,
    prompts: Sequence[dict[str, Any]],
    params: SamplingParams,
    make_answer: Callable[[Reply, str], ChatAnswer | TextAnswer],
    recorder: Recorder,
) -> HttpResponseBase:
    """Queue every prompt, then answer whole or as a stream. All refusals are raised here."""
    ignored, selection = body.ignored_params(), body.selection()
    body.check_deterministic(len(prompts), params)
    asker = view.asker(request)
    choices = await submitted(
        *(
            asker.alone() if body.deterministic else asker,
            body.model,
            prompts,
            params,
            selection.num_computed,
        ),
        on_end=recorder.observe,
        with_timings=body.stream and body.timings_per_token,
        with_progress=body.stream and body.return_progress,
        deterministic=body.deterministic,
    )
    view.answers = choices
    answer = make_answer(choices[0], choices[0].model.slug)
    response: HttpResponseBase
    if body.stream:
        with_usage = bool(body.stream_options.include_usage)
        response = EventStream(chunks(answer, choices, with_usage=with_usage))
    else:
        response = Response(await whole(answer, choices, selection))
    if choices[0].receipt:
        response[RECEIPT] = str(choices[0].receipt)
    if ignored:
        response["x-ignored-params"] = header_list(ignored)
    return response


async def chat_completion(
    view: LimitedEndpoint, request: Request, recorder: Recorder
) -> HttpResponseBase:
    body = checked(ChatCompletionRequest, request.data)
    prompt, params = body.prompt(), body.params()
    make_parser: Callable[[], CallParser | None] | None = None
    if body.uses_tools(prompt["messages"]):
        use = body.tool_use(await admission.allowed_model(caller(request), body.model))
        prompt, make_parser = use.prompt(prompt), use.parser
        params = msgspec.structs.replace(params, grammar=use.grammar(params.grammar))
    admission.check_length(prompt)
    make_answer = partial(
        ChatAnswer,
        make_parser=make_parser,
        has_functions=body.offers_functions,
        prefix=prompt["prefix"] if body.continue_final_message else "",
    )
    response = await answered(view, request, body, [prompt], params, make_answer, recorder)
    response[CONTEXT] = context_of(view.answers[0], len(prompt["messages"]))
    return response


class ChatCompletionsView(LimitedEndpoint):
    endpoint = "chat"

    @operation(
        "Answer a conversation",
        body=ChatCompletionRequest,
        example=HELLO,
        answer=ChatCompletion,
        events=ChatCompletionChunk,
    )
    @idempotent(OPENAIS)
    async def post(self, request: Request) -> HttpResponseBase:
        with Recorder(CHAT) as recorder:
            return await chat_completion(self, request, recorder)


class CompletionsView(LimitedEndpoint):
    endpoint = "completions"

    @operation(
        "Continue a text",
        body=CompletionRequest,
        example=STORY,
        answer=Completion,
        events=CompletionChunk,
    )
    @idempotent(OPENAIS)
    async def post(self, request: Request) -> HttpResponseBase:
        with Recorder(COMPLETIONS) as recorder:
            body = checked(CompletionRequest, request.data)
            prompts, params = body.prompts(), body.params()
            return await answered(self, request, body, prompts, params, TextAnswer, recorder)


class ModelsView(Endpoint):
    endpoint = "models"

    @operation("The models that requests may name now", answer=Models)
    async def get(self, request: Request) -> Response:
        metrics.MODELS_LISTS.inc()
        status = runtime.status()
        allows = caller(request).policy.allows_model
        rows = [row async for row in LanguageModel.objects.routable() if allows(row.slug)]
        return Response({"object": "list", "data": [model_object(row, status) for row in rows]})


class ModelView(Endpoint):
    endpoint = "models"

    @operation("One model, by id or alias", answer=Model)
    async def get(self, request: Request, name: str) -> Response:
        metrics.MODEL_INFOS.inc()
        row = await admission.allowed_model(caller(request), name)
        return Response(model_object(row, runtime.status()))


def model_object(row: LanguageModel, status: dict[str, runtime.EngineStatus]) -> dict[str, Any]:
    origin = row.origin
    engine = status.get(origin.slug)
    length = (engine and engine.context_length) or origin.context_length or origin.trained_context
    return {
        "id": row.slug,
        "object": "model",
        "created": int(row.created_at.timestamp()),
        "owned_by": "llmsite",
        "name": row.display_name,
        "context_length": length,
        "max_model_len": length,
        "capabilities": CAPABILITIES[Task(row.serves)] + ["vision"] * row.reads_images,
        "quantization": origin.quantization,
        "base": origin.slug if row.adapter else None,
        "status": engine.state if engine else "unloaded",
    }


class UnknownPathView(Endpoint):
    """For what is under /v1 and no view answers. Only callers who are let in hear that."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NoSuchPath(f"There is no {request.method} {request.path}.")
