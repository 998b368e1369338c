"""What operators do with models: the administration and the API do it through here."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.db import transaction

from accounts import audit

from . import auditing, fetching, registry, runtime
from .models import LanguageModel
from .registry import DuplicateModel, InvalidModel, NotFetched
from .sources import SourceError, redacted

__all__ = [
    "DuplicateModel",
    "InvalidModel",
    "NotFetched",
    "SourceError",
    "State",
    "change",
    "delete",
    "load",
    "new_source",
    "redacted",
    "register",
    "start_fetching",
    "state_of",
    "unload",
]


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
    engine = runtime.status().get(row.slug)
    if engine is None:
        return State("unloaded", "unloaded")
    if engine.state == "loading":
        return State("loading", f"loading, {engine.progress:.0%}", engine.progress)
    if engine.state == "crashed":
        return State("crashed", f"crashed {engine.crashes} times")
    load = engine.load
    text = f"{engine.state}: {load.running} running, {load.waiting} waiting"
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
    old_slug, old_source = row.slug, row.source
    if columns.get("source"):
        columns = {**columns, "source": registry.source_uri(columns["source"])}
    for name, value in columns.items():
        setattr(row, name, value)
    if row.source != old_source:
        new_source(row, keeps_hash="sha256" in columns)
    registry.save_changed(row, aliases)
    async_to_sync(runtime.heed)(row, old_slug)
    if not row.file and row.enabled:
        start_fetching(row)


def new_source(row: LanguageModel, *, keeps_hash: bool) -> None:
    """Makes the old file's facts untrue: they go, before the row is saved."""
    row.file = ""
    if not keeps_hash:
        row.sha256 = ""


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
    """Unload the model once its answers are complete; False if it is not loaded."""
    if row.slug not in runtime.status():
        return False
    audit.record("model.unloaded", auditing.target_of(row))
    async_to_sync(runtime.start_unloading)(row.slug)
    return True


@transaction.atomic
def delete(row: LanguageModel) -> None:
    """Its file stays; it is unloaded once its answers are complete."""
    slug = row.slug
    row.delete()
    async_to_sync(runtime.start_unloading)(slug)
