"""The one door to the engine: the API, the chat, the admin and the commands go through it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from inference.engine import (
    Admit,
    ContextPolicy,
    EngineError,
    EnginePool,
    EngineStatus,
    Finish,
    Grammar,
    Image,
    InvalidParameter,
    ModelNotFound,
    Outcome,
    Piece,
    Progress,
    PromptLogprob,
    PromptTooLong,
    QueueFull,
    SamplingParams,
    TokenLogprob,
    TokenStream,
    Unsupported,
)

from . import metrics, shelf, specs
from .models import LanguageModel, Task
from .tasks import check_images, check_task

__all__ = [
    "Admit",
    "ContextPolicy",
    "EngineError",
    "EngineStatus",
    "Finish",
    "Generation",
    "Grammar",
    "Image",
    "InvalidParameter",
    "ModelNotFound",
    "Offer",
    "Outcome",
    "Piece",
    "Progress",
    "PromptLogprob",
    "PromptTooLong",
    "SamplingParams",
    "TokenLogprob",
    "Unsupported",
    "catalogue",
    "count_texts",
    "count_tokens",
    "find_model",
    "gauges",
    "generate",
    "heed",
    "load",
    "load_pinned",
    "load_progress",
    "shutdown",
    "start_loading",
    "start_unloading",
    "status",
    "unload",
]

logger = logging.getLogger(__name__)

_pool: EnginePool | None = None
_loop: asyncio.AbstractEventLoop | None = None
_tasks: set[asyncio.Task[Any]] = set()


def pool() -> EnginePool:
    """This process's pool, made on the event loop that first asks for it."""
    global _pool, _loop
    loop = asyncio.get_running_loop()
    if _pool is None or _loop is not loop:
        _pool, _loop = EnginePool(specs.limits()), loop
    return _pool


async def find_model(name: str) -> LanguageModel:
    """The model of that id or alias.

    Raises:
        ModelNotFound: there is none, or requests may not use it now.
    """
    if "\0" in name:  # PostgreSQL refuses to look for it
        raise ModelNotFound(name)
    model = await shelf.find(name)
    if model is None or not model.enabled:
        raise ModelNotFound(name)
    if not model.file:
        raise ModelNotFound(name, "has not been fetched yet (manage.py prefetch)")
    return model


@dataclass(slots=True)
class Generation:
    """An answer under way. Iterate for its pieces, then read `finish`."""

    model: LanguageModel
    stream: TokenStream
    fingerprint: str

    def __aiter__(self) -> AsyncIterator[Piece]:
        return aiter(self.stream)

    @property
    def progress(self) -> Progress | None:
        return self.stream.progress

    @property
    def finish(self) -> Finish:
        return self.stream.finish

    def cancel(self) -> None:
        self.stream.cancel()


async def generate(
    model: LanguageModel,
    params: SamplingParams,
    *,
    on_end: Callable[[Outcome], None] | None = None,
    admit: Admit | None = None,
    if_too_long: ContextPolicy = ContextPolicy.ERROR,
    **prompt: Any,
) -> Generation:
    """Queue a request; the fields of `prompt` are those of the engine's Request.

    `on_end` and `admit` are those of the engine's `submit`; `if_too_long` holds for
    messages that do not fit, unless the model's row says what becomes of them.

    Raises:
        EngineError: every refusal, before anything is computed.
    """
    check_task(model, Task.GENERATE)
    check_images(model, prompt.get("images") or ())
    model_id = model.slug

    def end(outcome: Outcome) -> None:
        observe(model_id, outcome)
        if on_end:
            on_end(outcome)

    try:
        observe_gap = metrics.INTER_TOKEN_TIME.labels(model_id).observe
        with setting_named():
            stream = await pool().submit(
                *(await shelf.spec(model), end, observe_gap, admit),
                params=params,
                adapter=model.adapter,
                system=model.preamble,
                context_policy=ContextPolicy(
                    model.context_policy or model.origin.context_policy or if_too_long
                ),
                **prompt,
            )
    except EngineError as error:
        metrics.REQUESTS.labels(model_id, error.code).inc()
        raise
    return Generation(model, stream, specs.fingerprint(model))


@contextmanager
def setting_named() -> Iterator[None]:
    """What is full names the setting, which the engine does not know."""
    try:
        yield
    except QueueFull as error:
        rule, most = "models.max_waiting_requests", settings.CONFIG.models.max_waiting_requests
        text = f"{error.message} At most {most} may (rule {rule} of the server)."
        raise QueueFull(text, retry_after=error.retry_after) from None


async def count_tokens(
    model: LanguageModel,
    messages: list[dict[str, Any]],
    *,
    template_options: dict[str, Any] | None = None,
    images: Sequence[Image] = (),
    load: bool = False,
) -> int | None:
    """Tokens of the prompt that those messages make, with the images in them.

    None if the model is not in memory, unless it may be loaded for that.

    Raises:
        EngineError: the messages cannot be rendered, or the model not be loaded.
    """
    check_images(model, images)
    with setting_named():
        counts = await pool().count(
            await specs.spec(model),
            load=load,
            messages=messages,
            images=[*images],
            template_options=template_options or {},
            system=model.preamble,
        )
    return counts[0] if counts else None


async def count_texts(
    model: LanguageModel, texts: list[str], *, load: bool = False
) -> list[int] | None:
    """Tokens of each text by itself, as a part of a prompt; otherwise like `count_tokens`.

    Of a text that is far too long for the context, the least that it can have.
    """
    with setting_named():
        return await pool().count(await specs.spec(model), load=load, texts=texts)


def observe(model_id: str, outcome: Outcome) -> None:
    """Count a request that was accepted and has ended."""
    if isinstance(outcome, EngineError):
        metrics.REQUESTS.labels(model_id, outcome.code).inc()
    else:
        metrics.observe_answer(model_id, outcome.reason, outcome.usage, outcome.timings)


@dataclass(frozen=True, slots=True)
class Offer:
    """A model for people to choose."""

    slug: str
    name: str
    quantization: str
    context_length: int | None
    state: str


def catalogue() -> list[Offer]:
    """The models that people may chat with now."""
    engines = status()
    return [_offer(row, engines) for row in shelf.offered()]


def _offer(row: dict[str, Any], engines: dict[str, EngineStatus]) -> Offer:
    """An adapter is what its base is."""
    prefix = "base__" if row["base__slug"] else ""
    slug, quantization, chosen, trained = (row[f"{prefix}{column}"] for column in shelf.OF_ORIGIN)
    state = engines[slug].state if slug in engines else "unloaded"
    return Offer(row["slug"], row["name"] or row["slug"], quantization, chosen or trained, state)


# Loading


async def load(model: LanguageModel) -> None:
    """Load the model, and wait until it is.

    Raises:
        EngineError: it cannot be loaded.
    """
    await pool().load(await specs.spec(model))


async def unload(slug: str) -> bool:
    """Unload the model once its answers are complete; False if it was not loaded."""
    return await pool().unload(slug)


async def start_loading(model: LanguageModel) -> None:
    """Load it in the background; `status` tells how far it is."""
    # What it takes is read here: the caller's way to the database ends with the call.
    try:
        spec = await specs.spec(model)
    except EngineError as error:
        logger.error("model not loaded: %s", error)
    else:
        _in_background(pool().load(spec))


async def start_unloading(slug: str) -> None:
    _in_background(unload(slug))


async def heed(model: LanguageModel, old_slug: str) -> None:
    """A row was saved: what it does not offer any more leaves, after its answers."""
    if old_slug != model.slug or not model.enabled:
        await start_unloading(old_slug)
    elif _pool is not None and model.file:
        _pool.update(await specs.spec(model))


async def load_pinned() -> None:
    """Start to load every pinned model."""
    async for model in LanguageModel.objects.routable().filter(pinned=True):
        await start_loading(model)


def _in_background(work: Any) -> None:
    task = asyncio.create_task(_logged(work))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _logged(work: Any) -> None:
    try:
        await work
    except EngineError as error:
        logger.error("model not loaded: %s", error)


def status() -> dict[str, EngineStatus]:
    """What is loaded, loading or crashed in this process, by model id."""
    return {s.model_id: s for s in _pool.status()} if _pool else {}


def load_progress(slug: str) -> float | None:
    """How much of the model has been read, 0 to 1; None unless a request for it waits for that."""
    engine = status().get(slug)
    if engine is None or not (engine.state == "loading" or engine.num_loading_for):
        return None
    return engine.progress if engine.state == "loading" else 0.0


def gauges() -> dict[str, metrics.Gauges]:
    """The engines' state for Prometheus."""
    return {
        name: metrics.Gauges(
            s.load.running,
            s.load.waiting + s.num_loading_for,
            s.load.cells,
            s.memory_bytes,
            s.state == "ready",
        )
        for name, s in status().items()
    }


async def shutdown() -> None:
    """Drain the answers under way, and leave no engine behind.

    The closed pool stays, so that what still asks is refused and starts nothing anew.
    """
    if _pool is not None:
        await _pool.close()
