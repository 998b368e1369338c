"""The registry of models, for administrators' programs."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from channels.db import database_sync_to_async
from django.http import HttpResponseBase
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller
from inference import operating
from inference.models import MAX_SYSTEM_PROMPT, LanguageModel
from inference.runtime import ModelNotFound

from .body import checked
from .endpoint import Endpoint
from .openapi.older import RegistryModel, RegistryModels, RegistryState
from .openapi.operation import operation
from .refusals import ApiError, RegistryConflict
from .schemas import FIRST_FAULT
from .sse import DONE, KEEPALIVE, EventStream, frame

POLL_SECONDS = 0.25
KEEPALIVE_POLLS = 60  # in a row that found nothing new

Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
LongText = Annotated[str, StringConstraints(max_length=MAX_SYSTEM_PROMPT, pattern=r"^[^\x00]*$")]
VERBS = {"POST": "change", "PATCH": "change", "DELETE": "delete"}  # else one looks

OPTIONS = [
    *("name", "task", "enabled", "pinned", "idle_timeout_seconds", "device", "gpu_layers"),
    *("split_mode", "tensor_split", "main_gpu", "flash_attention", "kv_cache_type", "threads"),
    *("context_length", "context_policy", "system_prompt", "max_sequences", "batch_tokens"),
    *("prefill_chunk_tokens", "adapter_scale"),
]
FROM_FILE = [
    *("sha256", "size_bytes", "licence", "architecture", "parameters", "quantization"),
    *("trained_context", "projector_sha256", "projector_size_bytes"),
]


class Changes(BaseModel):
    """Columns of a row, under the names that the administration gives them."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    source: Text | None = None
    id: Text | None = None
    aliases: Annotated[list[Text], FIRST_FAULT] | None = None
    sha256: Text | None = None
    name: Text | None = None
    projector: Text | None = None
    projector_sha256: Text | None = None
    base: Text | None = None
    adapter_scale: float | None = None
    draft: Text | None = None
    task: Text | None = None
    enabled: bool | None = None
    pinned: bool | None = None
    idle_timeout_seconds: float | None = None
    device: Text | None = None
    gpu_layers: int | None = None
    split_mode: Text | None = None
    tensor_split: Text | None = None
    main_gpu: int | None = None
    flash_attention: Text | None = None
    kv_cache_type: Text | None = None
    threads: int | None = None
    context_length: int | None = None
    context_policy: Text | None = None
    system_prompt: LongText | None = None
    max_sequences: int | None = None
    batch_tokens: int | None = None
    prefill_chunk_tokens: int | None = None

    def columns(self) -> dict[str, Any]:
        """What is given, but for the aliases.

        Raises:
            UnknownBase, UnknownDraft: the base, or the draft model, is none.
            ApiError: the projector's source is malformed.
        """
        given = self.model_dump(exclude_unset=True, exclude={"aliases"})
        if "id" in given:
            given["slug"] = given.pop("id")
        if "base" in given:
            given["base"] = operating.base_of(given["base"])
        if given.get("projector"):
            given["projector"] = projector_uri(given["projector"])
        if "draft" in given:
            given["draft"] = operating.draft_of(given["draft"])
        return given


def projector_uri(source_or_path: str) -> str:
    try:
        return operating.source_uri(source_or_path)
    except operating.SourceError as error:
        raise ApiError(str(error), param="projector") from None


class NewModel(Changes):
    source: Text = Field(min_length=1)


class OperatorsView(Endpoint):
    """For administrators, by their keys, as far as their permissions go; and for keys of the
    configuration. With `enable_auth` off nobody is known to be one.
    """

    endpoint = "admin"
    verb: Literal["", "add"] = ""  # of POST, where it is not to change

    def check_permissions(self, request: Request) -> None:
        """
        Raises:
            PermissionDenied: the caller is none, or may not do this.
        """
        super().check_permissions(request)
        who = caller(request)
        posted = self.verb if request.method == "POST" else ""
        verb = posted or VERBS.get(request.method or "", "view")
        if not who.is_operator:
            raise PermissionDenied("The registry is for administrators, with a key of theirs.")
        if who.user and not who.user.has_perm(f"inference.{verb}_languagemodel"):
            raise PermissionDenied(f"{who.name} may not {verb} models.")


class ModelsView(OperatorsView):
    verb = "add"

    @operation("All models", answer=RegistryModels)
    def get(self, request: Request) -> Response:
        rows = LanguageModel.objects.prefetch_related("aliases")
        return Response({"object": "list", "data": [described(row) for row in rows]})

    @operation(
        "Register a model",
        body=NewModel,
        example={
            "source": "hf://Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q4_k_m.gguf",
            "id": "qwen",
        },
        answer=RegistryModel,
        status=201,
        errors=(409,),
    )
    def post(self, request: Request) -> Response:
        """Registers a model; its file is fetched in the background."""
        body = checked(NewModel, request.data)
        with refusals():
            row = operating.register(aliases=body.aliases or (), **body.columns())
        return Response(described(row), status=201)


class ModelView(OperatorsView):
    @operation("One model", answer=RegistryModel)
    def get(self, request: Request, slug: str) -> Response:
        return Response(described(found(slug)))

    @operation(
        "Change a model",
        body=Changes,
        example={"pinned": True},
        answer=RegistryModel,
        errors=(409,),
    )
    def patch(self, request: Request, slug: str) -> Response:
        row, body = found(slug), checked(Changes, request.data)
        with refusals():
            columns = body.columns()
            if "idle_timeout_seconds" in request.data:  # null is the server's own
                columns["idle_timeout_seconds"] = body.idle_timeout_seconds
            for name in ("base", "draft"):
                if name in request.data and getattr(body, name) is None:  # none any more
                    columns[name] = None
            operating.change(row, columns, body.aliases)
        return Response(described(row))

    @operation("Remove a model; its file stays", status=204)
    def delete(self, request: Request, slug: str) -> Response:
        with refusals():
            operating.delete(found(slug))
        return Response(status=204)


class FetchView(OperatorsView):
    @operation("Fetch its file in the background", answer=RegistryModel, status=202)
    def post(self, request: Request, slug: str) -> Response:
        row = found(slug)
        operating.start_fetching(row)
        return Response(described(row), status=202)


class LoadView(OperatorsView):
    @operation("Load it in the background", answer=RegistryModel, status=202, errors=(409,))
    def post(self, request: Request, slug: str) -> Response:
        row = found(slug)
        with refusals():
            operating.load(row)
        return Response(described(row), status=202)


class UnloadView(OperatorsView):
    @operation("Unload it after its answers", answer=RegistryModel, status=202)
    def post(self, request: Request, slug: str) -> Response:
        row = found(slug)
        operating.unload(row)
        return Response(described(row), status=202)


class EventsView(OperatorsView):
    @operation("How far a fetch or a load is", events=RegistryState)
    async def get(self, request: Request, slug: str) -> HttpResponseBase:
        return EventStream(progress(await database_sync_to_async(found)(slug)))


async def progress(row: LanguageModel) -> AsyncGenerator[bytes]:
    """How far a fetch or a load is, whenever that changes; ends once nothing is under way.

    Raises:
        ModelNotFound: the row has been deleted.
    """
    told, polls = None, 0
    while True:
        state = operating.state_of(row)
        if state != told:
            yield frame(_shown(row, state))
            told, polls = state, 0
        elif polls % KEEPALIVE_POLLS == 0:
            yield KEEPALIVE
        if state.is_settled:
            break
        await asyncio.sleep(POLL_SECONDS)
        polls += 1
        slug, current = row.slug, await LanguageModel.objects.filter(pk=row.pk).afirst()
        if current is None:
            raise ModelNotFound(slug)
        row = current
    yield DONE


def found(slug: str) -> LanguageModel:
    """
    Raises:
        ModelNotFound: no row has that id.
    """
    # PostgreSQL refuses to look for a NUL.
    row = None if "\0" in slug else LanguageModel.objects.filter(slug=slug).first()
    if row is None:
        raise ModelNotFound(slug)
    return row


@contextmanager
def refusals() -> Iterator[None]:
    """What the registry refuses, as the API says it."""
    try:
        yield
    except operating.InvalidModel as error:
        param = "id" if error.column == "slug" else error.column
        raise ApiError(str(error), param=param) from None
    except operating.UnknownBase as error:
        raise ApiError(str(error), param="base") from None
    except operating.UnknownDraft as error:
        raise ApiError(str(error), param="draft") from None
    except (operating.DuplicateModel, operating.NotFetched, operating.ModelInUse) as error:
        raise RegistryConflict(str(error), error.code) from None
    except operating.SourceError as error:
        raise ApiError(str(error), param="source") from None


def described(row: LanguageModel) -> dict[str, Any]:
    return {
        **_shown(row, operating.state_of(row)),
        "created": int(row.created_at.timestamp()),
        "source": operating.redacted(row.source),
        "projector": operating.redacted(row.projector),
        "base": row.base.slug if row.base else None,
        "draft": row.draft.slug if row.draft else None,
        "aliases": sorted(alias.name for alias in row.aliases.all()),
        **{name: getattr(row, name) for name in (*OPTIONS, *FROM_FILE)},
    }


def _shown(row: LanguageModel, state: operating.State) -> dict[str, Any]:
    return {
        "id": row.slug,
        "object": "model",
        "state": state.kind.replace(" ", "_"),
        "progress": state.progress,
        "detail": state.text,
    }
