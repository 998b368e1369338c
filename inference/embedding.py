"""The door to the engine for vectors: embeddings, and how relevant documents are."""

from collections.abc import Callable
from typing import Any

from inference.engine import Admit, EngineError, Outcome, Vectors

from . import metrics, runtime, shelf
from .models import LanguageModel, Task
from .tasks import check_task

__all__ = ["Vectors", "embed"]


async def embed(
    model: LanguageModel,
    *,
    on_end: Callable[[Outcome], None] | None = None,
    admit: Admit | None = None,
    query: str | None = None,
    **request: Any,
) -> Vectors:
    """Queue a request for a vector of each input, or with a query for documents' relevance.

    The fields of `request` are those of the engine's EmbedRequest; `on_end` and `admit`
    are those of its `embed`.

    Raises:
        EngineError: every refusal, before anything is computed.
    """
    check_task(model, Task.EMBED if query is None else Task.RERANK)

    def observe(outcome: Outcome) -> None:
        runtime.observe(model.slug, outcome)
        if on_end:
            on_end(outcome)

    try:
        with runtime.setting_named():
            return await runtime.pool().embed(
                *(await shelf.spec(model), observe, admit), query=query, **request
            )
    except EngineError as error:
        metrics.REQUESTS.labels(model.slug, error.code).inc()
        raise
