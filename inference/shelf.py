"""Models as requests find them: read once, and anew when a row has changed.

What this process changes holds at once. What another one does, or an update of many rows,
which tells nobody, holds within FRESH_SECONDS.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save

from inference.engine import ModelLoadFailed, ModelSpec

from . import specs
from .models import Alias, LanguageModel

FRESH_SECONDS = 1.0
MOST_NAMES = 10_000


@dataclass(slots=True)
class _Kept:
    model: LanguageModel
    read_at: float = field(default_factory=time.monotonic)
    spec: ModelSpec | None = None
    before: "_Kept | None" = None  # for requests that have found that one
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.read_at < FRESH_SECONDS


OF_ORIGIN = ("slug", "quantization", "context_length", "trained_context")
OFFERED = ("name", *OF_ORIGIN, *(f"base__{column}" for column in OF_ORIGIN))
NEVER = float("-inf")

_kept: dict[str, _Kept] = {}  # by what requests call them
_offered: tuple[float, list[dict[str, Any]]] = NEVER, []  # when it was read
_num_changes = 0


async def find(name: str) -> LanguageModel | None:
    """The model of that id or alias, routable or not; not to be changed."""
    kept = _kept.get(name)
    if kept is None:
        return await _read(name)
    if kept.is_fresh:
        return kept.model
    async with kept.reading:  # one reads for all who ask meanwhile
        now = _kept.get(name)
        if now and now.is_fresh:
            return now.model
        return await _read(name, kept)


async def _read(name: str, kept: _Kept | None = None) -> LanguageModel | None:
    """With what its engine is told, where that was asked for before."""
    before, began = _num_changes, time.monotonic()
    model = next(iter([row async for row in LanguageModel.objects.named(name)]), None)
    if model is None:
        _kept.pop(name, None)  # another process has taken it away
        return None
    new = _Kept(model, began, before=kept)
    if kept:
        kept.before = None
        with suppress(ModelLoadFailed):  # whoever asks for it is told
            new.spec = await specs.spec(model) if kept.spec else None
    if before != _num_changes:
        return model
    if len(_kept) >= MOST_NAMES:
        _kept.clear()
    same = None if kept else _kept.get(model.slug)  # read a moment ago, by another name
    _kept[name] = _kept[model.slug] = same if same and same.is_fresh else new
    return _kept[name].model


async def spec(model: LanguageModel) -> ModelSpec:
    """As `specs.spec`.

    Raises:
        ModelLoadFailed: the row holds what no engine can be started with.
    """
    kept = _kept.get(model.slug)
    while kept and kept.model is not model:
        kept = kept.before
    if kept is None:
        return await specs.spec(model)
    if kept.spec is None:
        kept.spec = await specs.spec(model)
    return kept.spec


def offered() -> list[dict[str, Any]]:
    """The models that people may chat with: columns of each, and of its base."""
    global _offered
    read_at, rows = _offered
    if time.monotonic() - read_at >= FRESH_SECONDS:
        before, now = _num_changes, time.monotonic()
        found = LanguageModel.objects.routable().generative().order_by().values(*OFFERED)
        rows = sorted(found, key=itemgetter("slug"))
        if before == _num_changes:
            _offered = now, rows
    return rows


def clear(**_: Any) -> None:
    """Read everything anew."""
    global _num_changes, _offered
    _num_changes += 1
    _kept.clear()
    _offered = NEVER, []


def _changed(**_: Any) -> None:
    """Now for this transaction, and for all others when it is over."""
    clear()
    transaction.on_commit(clear)


for changed in (LanguageModel, Alias):
    post_save.connect(_changed, sender=changed)
    post_delete.connect(_changed, sender=changed)
