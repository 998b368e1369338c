"""The older service's dialect, on unversioned paths.

Errors are `{"error": "<sentence>"}`, and chat answers are always streams of text.
"""

import re
from collections.abc import AsyncIterator
from typing import Any

from adrf.views import APIView
from django.conf import settings
from django.http import HttpResponseBase
from pydantic import AliasGenerator, BaseModel, ConfigDict
from rest_framework.request import Request
from rest_framework.response import Response

from inference import metrics, runtime
from inference.models import LanguageModel

from .body import checked
from .errors import engine_error, handle, message_of
from .recording import CHAT, COMPLETIONS, Recorder
from .refusals import ApiError
from .schemas import Name, check_length
from .sse import KEEPALIVE, event_stream
from .throttling import RequestsPerMinute
from .views import chat_completion, request_id

MAX_PROMPT_LENGTH = 8192  # characters
MAX_RESPONSE_TOKENS = 2048
SYSTEM_PROMPT = "You are a helpful AI assistant."
ERROR = "__ERROR__:"
LINE_END = re.compile(r"\r\n|\r|\n")


class LegacyCompletion(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    model: Name
    prompt: str
    max_tokens: int = 128
    temperature: float = 0.7
    top_p: float = 0.95
    stop: list[str] = []
    stream: bool = False

    def params(self) -> runtime.SamplingParams:
        return runtime.SamplingParams(
            max_tokens=limit_tokens(self.max_tokens, "max_tokens"),
            temperature=self.temperature,
            top_p=self.top_p,
            stop=tuple(self.stop),
        )


class LegacyMessage(BaseModel):
    model_config = ConfigDict(strict=True)

    role: str
    content: str


class LegacyChat(BaseModel):
    """Kebab-case. `device` is a hint and not followed: the registry places models."""

    model_config = ConfigDict(
        strict=True,
        allow_inf_nan=False,
        alias_generator=AliasGenerator(alias=lambda name: name.replace("_", "-")),
    )

    model_name: Name
    prompt: str
    messages: list[LegacyMessage] = []
    system_prompt: str = SYSTEM_PROMPT
    session_id: str | None = None
    max_token: int = 128
    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 10
    repeat_penalty: float = 1.0
    stop: list[str] = []
    device: str | None = None

    def all_messages(self) -> list[dict[str, str]]:
        messages = [message.model_dump() for message in self.messages]
        if not any(message["role"] == "system" for message in messages):
            messages.insert(0, {"role": "system", "content": self.system_prompt})
        return [*messages, {"role": "user", "content": self.prompt}]

    def params(self) -> runtime.SamplingParams:
        return runtime.SamplingParams(
            max_tokens=limit_tokens(self.max_token, "max-token"),
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            repeat_penalty=self.repeat_penalty,
            stop=tuple(self.stop),
        )


def limit_tokens(asked: int, param: str) -> int:
    most = settings.CONFIG.limits.max_response_tokens or MAX_RESPONSE_TOKENS
    if asked < 1:
        raise ApiError(f"{param}: {asked} is less than 1", param=param)
    return min(asked, most)


def handle_legacy(error: Exception, context: dict[str, Any]) -> Response:
    """The same table of errors, less of it shown."""
    response = handle(error, context)
    response.data = {"error": message_of(response.data)}
    return response


class LegacyView(APIView):
    def get_exception_handler(self) -> Any:
        return handle_legacy


class LegacyCompletionsView(LegacyView):
    throttle_classes = [RequestsPerMinute]

    async def post(self, request: Request) -> HttpResponseBase:
        with Recorder(COMPLETIONS) as recorder:
            body = checked(LegacyCompletion, request.data)
            check_length(len(body.prompt), "prompt", MAX_PROMPT_LENGTH)
            generation = await runtime.generate(
                body.model,
                body.params(),
                on_end=recorder.observe,
                request_id=request_id(request),
                text=body.prompt,
            )
            if body.stream:
                return event_stream(text_events(generation))
            return Response(await completion(generation))


class ChatView(LegacyView):
    """`/chat/completions`: the body says in which dialect it is, and gets that one back."""

    throttle_classes = [RequestsPerMinute]

    async def post(self, request: Request) -> HttpResponseBase:
        if "model-name" not in request.data:
            return await chat_completion(request)
        return await legacy_chat(request)

    def get_exception_handler(self) -> Any:
        data = getattr(self.request, "_full_data", None)  # what was parsed, if anything was
        return handle_legacy if isinstance(data, dict) and "model-name" in data else handle


async def legacy_chat(request: Request) -> HttpResponseBase:
    with Recorder(CHAT) as recorder:
        body = checked(LegacyChat, request.data)
        check_length(len(body.prompt), "prompt", MAX_PROMPT_LENGTH)
        if body.session_id is not None:
            raise ApiError("session-id: sessions are not served yet", param="session-id")
        generation = await runtime.generate(
            body.model_name,
            body.params(),
            on_end=recorder.observe,
            request_id=request_id(request),
            messages=body.all_messages(),
        )
        return event_stream(text_events(generation))


async def completion(generation: runtime.Generation) -> dict[str, Any]:
    text = "".join([piece.text async for piece in generation])
    tokens = generation.finish.usage.completion_tokens
    seconds = generation.finish.timings.total
    return {
        "text": text,
        "model": generation.model.slug,
        "tokens": tokens,
        "duration_seconds": round(seconds, 6),
        "tokens_per_second": round(tokens / seconds, 3) if seconds else 0.0,
    }


async def text_events(generation: runtime.Generation) -> AsyncIterator[bytes]:
    try:
        async for piece in generation:
            if piece.text:
                yield text_event(piece.text)
            elif not piece.tokens:
                yield KEEPALIVE
    except runtime.EngineError as error:
        yield text_event(ERROR + message_of(engine_error(error)[1]))


def text_event(text: str) -> bytes:
    """One event: a `data:` line for each line, and no field for a carriage return to break.

    Readers drop one space after the colon, so text that starts with one gets another.
    """
    lines = (f" {line}" if line.startswith(" ") else line for line in LINE_END.split(text))
    return "".join(f"data:{line}\n" for line in lines).encode() + b"\n"


class LegacyModelsView(LegacyView):
    async def get(self, request: Request) -> Response:
        metrics.MODELS_LISTS.inc()
        names = [row.slug async for row in LanguageModel.objects.routable()]
        return Response({"models": names})


class LegacyModelView(LegacyView):
    async def get(self, request: Request, name: str) -> Response:
        metrics.MODEL_INFOS.inc()
        row = await runtime.find_model(name)
        return Response(
            {
                "id": row.slug,
                "name": row.display_name,
                "context_length": row.context_length or row.trained_context,
                "quantization": row.quantization,
            }
        )
