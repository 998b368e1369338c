"""Fetches files in the background of the web process, for the admin."""

import logging
import threading
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial

from django.db import connection

from . import registry
from .gguf_file import ModelFileError
from .models import LanguageModel

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Fetch:
    """One fetch: under way, or why it failed. What succeeded is forgotten."""

    done: int = 0
    total: int | None = None
    error: str = ""

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


_fetches: dict[int, Fetch] = {}
_lock = threading.Lock()


def of(row: LanguageModel) -> Fetch | None:
    return _fetches.get(row.pk)


def is_under_way(row: LanguageModel) -> bool:
    current = _fetches.get(row.pk)
    return current is not None and not current.error


def start(row: LanguageModel) -> None:
    """Fetch the row's file on a thread of its own, unless that is under way already.

    In the context of whoever asks: the audit log names them, and so does the log.
    """
    with _lock:
        if is_under_way(row):
            return
        fetch = _fetches[row.pk] = Fetch()
    run = partial(copy_context().run, _run, row, fetch)
    threading.Thread(target=run, name=f"fetch-{row.slug}", daemon=True).start()


def _run(row: LanguageModel, fetch: Fetch) -> None:
    def on_progress(done: int, total: int | None) -> None:
        fetch.done, fetch.total = done, total

    try:
        registry.fetch_model(row, on_progress)
        del _fetches[row.pk]
        logger.info("model fetched", extra={"model": row.slug})
    except ModelFileError as error:
        fetch.error = str(error)
        logger.error("model not fetched: %s", error, extra={"model": row.slug})
    except Exception:
        fetch.error = "it failed; the server's log says why"
        logger.exception("model not fetched", extra={"model": row.slug})
    finally:
        connection.close()  # this thread's
