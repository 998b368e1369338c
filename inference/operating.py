"""What operators do with models: the administration and the API do it through here."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.db import transaction
from django.db.models import ProtectedError

from accounts import audit

from . import auditing, fetching, registry, runtime
from .models import LanguageModel
from .registry import (
    DuplicateModel,
    InvalidModel,
    ModelInUse,
    NotFetched,
    UnknownBase,
    UnknownDraft,
)
from .sources import SourceError, redacted

__all__ = [
    "DuplicateModel",
    "InvalidModel",
    "ModelInUse",
    "NotFetched",
    "SourceError",
    "State",
    "UnknownBase",
    "UnknownDraft",
    "base_of",
    "change",
    "delete",
    "draft_of",
    "lacks_file",
    "load",
    "new_projector",
    "new_source",
    "redacted",
    "register",
    "source_uri",
    "start_fetching",
    "state_of",
    "unload",
]


base_of, draft_of, source_uri = registry.base_of, registry.draft_of, registry.source_uri
SOURCES = ("source", "projector")  # columns that say where a file comes from


@dataclass(frozen=True, slots=True)
class State:
    """Where a model stands in this server process; `progress` is that of a fetch or a load."""

    kind: str
    text: str
    progress: float | None = None

    @property
    def is_settled(self) -> bool:
        return self.progress is None


def state_of(row: LanguageModel) -> State:
    if fetch := fetching.of(row):
        if fetch.error:
            return State("fetch failed", f"fetch failed: {fetch.error}")
        return State("fetching", f"fetching, {fetch.percent} %", fetch.percent / 100)
    if not row.file:
        return State("not fetched", "not fetched")
    engine = runtime.status().get(row.origin.slug)
    if engine is None and lacks_file(row):
        return State("not fetched", "its projector is not fetched")
    if engine is None:
        return State("unloaded", "unloaded")
    if engine.state == "loading":
        return State("loading", f"loading, {engine.progress:.0%}", engine.progress)
    if engine.state == "crashed":
        return State("crashed", f"crashed {engine.crashes} times")
    load = engine.load
    text = f"{engine.state}: {load.running} running, {load.waiting} waiting"
    if engine.draft_problem:
        text += f"; {engine.draft_problem}"
    return State(engine.state, text)


def register(
    source: str, *, slug: str = "", aliases: Iterable[str] = (), **columns: Any
) -> LanguageModel:
    """A new row, whose file is then fetched. Raises as `registry.add` does."""
    row = registry.add(source, slug=slug, aliases=aliases, **columns)
    if row.enabled:
        start_fetching(row)
    return row


def change(
    row: LanguageModel, columns: dict[str, Any], aliases: Iterable[str] | None = None
) -> None:
    """Give the row those columns, and those aliases instead of the ones it has.

    Raises:
        SourceError: the source is malformed.
        InvalidModel, DuplicateModel: and nothing has been changed.
    """
    old_slug, old_source, old_projector = row.slug, row.source, row.projector
    for name in SOURCES:
        if columns.get(name):
            columns = {**columns, name: source_uri(columns[name])}
    for name, value in columns.items():
        setattr(row, name, value)
    if row.source != old_source:
        new_source(row, keeps_hash="sha256" in columns)
    if row.projector != old_projector:
        new_projector(row, keeps_hash="projector_sha256" in columns)
    registry.save_changed(row, aliases)
    async_to_sync(runtime.heed)(row, old_slug)
    if lacks_file(row) and row.enabled:
        start_fetching(row)


def lacks_file(row: LanguageModel) -> bool:
    """Whether one of its files has still to be fetched."""
    return not row.file or bool(row.projector and not row.projector_file)


def new_source(row: LanguageModel, *, keeps_hash: bool) -> None:
    """Makes the old file's facts untrue: they go, before the row is saved."""
    row.file = ""
    if not keeps_hash:
        row.sha256 = ""


def new_projector(row: LanguageModel, *, keeps_hash: bool) -> None:
    """Likewise: until the new one has come, the model reads no images."""
    row.projector_file = ""
    row.projector_size_bytes = None
    if not keeps_hash:
        row.projector_sha256 = ""


def start_fetching(row: LanguageModel) -> bool:
    """Fetch the file in the background; False if that is under way already."""
    if fetching.is_under_way(row):
        return False
    transaction.on_commit(partial(fetching.start, row))  # it looks for the row
    return True


def load(row: LanguageModel) -> None:
    """Load the model in the background. Raises NotFetched."""
    if not row.file:
        raise NotFetched(f"{row} has not been fetched.")
    audit.record("model.loaded", auditing.target_of(row))
    async_to_sync(runtime.start_loading)(row)


def unload(row: LanguageModel) -> bool:
    """Unload the model once its answers are complete; False if it is not loaded.

    An adapter goes with its base, and with all who are in that engine.
    """
    if row.origin.slug not in runtime.status():
        return False
    audit.record("model.unloaded", auditing.target_of(row))
    async_to_sync(runtime.start_unloading)(row.origin.slug)
    return True


@transaction.atomic
def delete(row: LanguageModel) -> None:
    """Its file stays; it is unloaded once its answers are complete.

    Raises:
        ModelInUse: it is the base of others, or their draft model.
    """
    slug = row.slug
    try:
        row.delete()
    except ProtectedError:
        raise ModelInUse(_uses(row)) from None
    async_to_sync(runtime.start_unloading)(slug)


def _uses(row: LanguageModel) -> str:
    adapters, drafted = (", ".join(map(str, rows.all())) for rows in (row.adapters, row.drafted))
    if adapters:
        return f"{row} is the base of {adapters}: delete those first."
    return f"{row} is the draft model of {drafted}: give those another or none first."
