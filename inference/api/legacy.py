"""The older service's dialect, on unversioned paths.

Errors are `{"error": "<sentence>"}`, and chat answers are always streams of text.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller
from inference import admission, metrics, runtime
from inference.models import LanguageModel
from inference.recording import COMPLETIONS, Recorder
from inference.runtime import Piece

from .body import checked
from .endpoint import Endpoint, LimitedEndpoint
from .errors import handle, message_of
from .generating import text_of
from .idempotency import Dialect, idempotent
from .legacy_bodies import LegacyCompletion
from .openapi.errors import OlderError
from .openapi.older import TEXT_EVENTS, OlderCompletion, OlderModel, OlderModels
from .openapi.operation import STORY, operation
from .sse import HEADERS_ONLY, KEEPALIVE, EventStream

ERROR = "__ERROR__:"
LINE_END = re.compile(r"\r\n|\r|\n")


def sentence_of(error: Exception) -> str:
    return message_of(handle(error, {}).data)


def text_error(error: Exception) -> bytes:
    return text_event(ERROR + sentence_of(error))


TEXT = Dialect(error_frame=text_error)
TEXT_CHAT = Dialect(error_frame=text_error, model="model-name", always_streams=True)


def handle_legacy(error: Exception, context: dict[str, Any]) -> Response:
    """The same table of errors, less of it shown."""
    response = handle(error, context)
    response.data = {"error": message_of(response.data)}
    return response


class LegacyView(Endpoint):
    error_body = OlderError

    def get_exception_handler(self) -> Any:
        return handle_legacy


class LegacyCompletionsView(LegacyView, LimitedEndpoint):
    endpoint = "completions"

    @operation(
        "Continue a text",
        body=LegacyCompletion,
        example=STORY,
        answer=OlderCompletion,
        events=TEXT_EVENTS,
    )
    @idempotent(TEXT)
    async def post(self, request: Request) -> HttpResponseBase:
        with Recorder(COMPLETIONS) as recorder:
            body = checked(LegacyCompletion, request.data)
            generation = await admission.generate(
                self.asker(request),
                body.model,
                body.params(),
                on_end=recorder.observe,
                text=body.text(),
            )
            self.answers = [generation]
            if body.stream:
                return EventStream(text_events(generation), text_error)
            return Response(await completion(generation))


async def completion(generation: admission.Reply) -> dict[str, Any]:
    text = await text_of(generation)
    tokens = generation.finish.usage.completion_tokens
    seconds = generation.finish.timings.total
    return {
        "text": text,
        "model": generation.model.slug,
        "tokens": tokens,
        "duration_seconds": round(seconds, 6),
        "tokens_per_second": round(tokens / seconds, 3) if seconds else 0.0,
    }


class Pieces(Protocol):
    """An answer to read: a `Reply`, or one that goes on without its reader."""

    def __aiter__(self) -> AsyncIterator[Piece]: ...
    def cancel(self) -> None: ...


async def text_events(generation: Pieces) -> AsyncGenerator[bytes]:
    is_inside_line_end = False  # the text so far ends in a carriage return
    try:
        yield HEADERS_ONLY
        async for text, tokens, *_ in generation:
            if not text and not tokens:
                yield KEEPALIVE
            elif new := text.removeprefix("\n") if is_inside_line_end else text:
                yield text_event(new)
            is_inside_line_end = text.endswith("\r") if text else is_inside_line_end
    finally:
        generation.cancel()


def text_event(text: str) -> bytes:
    """One event: a `data:` line for each line, and no field for a carriage return to break.

    Readers drop one space after the colon, so text that starts with one gets another.
    """
    lines = (f" {line}" if line.startswith(" ") else line for line in LINE_END.split(text))
    return "".join(f"data:{line}\n" for line in lines).encode() + b"\n"


class LegacyModelsView(LegacyView):
    endpoint = "models"

    @operation("The models that requests may name now", answer=OlderModels)
    async def get(self, request: Request) -> Response:
        metrics.MODELS_LISTS.inc()
        rows = [row async for row in LanguageModel.objects.routable()]
        names = [row.slug for row in rows if caller(request).policy.allows_model(row.slug)]
        return Response({"models": names})


class LegacyModelView(LegacyView):
    endpoint = "models"

    @operation("One model, by id, alias or name", answer=OlderModel)
    async def get(self, request: Request, name: str) -> Response:
        metrics.MODEL_INFOS.inc()
        row = await find_model(name)
        caller(request).policy.check_model(row.slug)
        return Response(
            {
                "id": row.slug,
                "name": row.display_name,
                "context_length": row.context_length or row.trained_context,
                "quantization": row.quantization,
            }
        )


async def find_model(name: str) -> LanguageModel:
    """The model of that id, alias or display name. Raises ModelNotFound."""
    try:
        return await runtime.find_model(name)
    except runtime.ModelNotFound:
        if "\0" in name:  # PostgreSQL refuses to look for it
            raise
        row = await LanguageModel.objects.routable().filter(name=name).afirst()
        if row is None:
            raise
        return row
