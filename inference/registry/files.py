"""A row and its file: fetched, looked at, verified."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from inference.gguf_file import BadModelFile, GgufInfo, inspect, parts, sha256_of
from inference.models import LanguageModel
from inference.sources import FetchedFile, Progress, fetch

from .errors import CorruptedModelFile, NotFetched, SourceChanged


def fetch_model(row: LanguageModel, on_progress: Progress) -> None:
    """Get the row's file, verify it, and fill the row's columns from it.

    Raises:
        SourceError: it did not come, or its SHA-256 is not the row's.
        BadModelFile: it is not a whole GGUF model.
        NotFetched: the row has neither a source nor a file.
        SourceChanged: meanwhile the row was given another source, or deleted.
    """
    if not row.source and row.path is None:
        raise NotFetched(f"{row.slug} has no source to fetch from")
    uri = row.source or _path(row).absolute().as_uri()
    file = fetch(uri, settings.MODELS_DIR, sha256=row.sha256, on_progress=on_progress)
    columns = _columns(file, inspect(file.path))
    columns["licence"] = columns["licence"] or row.licence
    _fill(row, columns)


@transaction.atomic
def _fill(row: LanguageModel, columns: dict[str, Any]) -> None:
    """Write these columns and no other: the row may have been changed while the file came."""
    rows = LanguageModel.objects.select_for_update()
    stored = rows.filter(pk=row.pk, source=row.source).first()
    if stored is None:
        raise SourceChanged(f"{row.slug} has another source now; what came was the old one's")
    for column, value in columns.items():
        setattr(stored, column, value)
        setattr(row, column, value)
    stored.save(update_fields=[*columns, "updated_at"])  # and not update(): the audit log sees it
    row.updated_at = stored.updated_at


def verify(row: LanguageModel) -> None:
    """Read the whole file again, and compare its SHA-256 with the row's.

    Raises:
        CorruptedModelFile: naming the file, the expected and the found hash.
        BadModelFile: the file, or a part of it, cannot be read.
        NotFetched: there is nothing to compare.
    """
    path = _path(row)
    if not row.sha256:
        raise NotFetched(f"{row.slug} has no SHA-256 to compare with; fetch it first")
    try:
        found = sha256_of(path)
    except OSError as error:
        raise BadModelFile(path, f"cannot be read: {error.strerror}") from None
    if found != row.sha256.lower():
        raise CorruptedModelFile(
            f"{path} is corrupted: expected sha256 {row.sha256}, found {found}."
            " Delete it and prefetch the model again"
        )


def is_fetched(row: LanguageModel) -> bool:
    """Whether the file is there and has the size that it was registered with."""
    if not row.file or not row.sha256:
        return False
    try:
        return row.size_bytes == sum(part.stat().st_size for part in parts(_path(row)))
    except (OSError, BadModelFile):
        return False


def _path(row: LanguageModel) -> Path:
    if row.path is None:
        raise NotFetched(f"{row.slug} has not been fetched")
    return row.path


def _columns(file: FetchedFile, info: GgufInfo) -> dict[str, Any]:
    """The columns "From the file", cut to what PostgreSQL takes."""
    folder = Path(settings.MODELS_DIR).absolute()
    inside = file.path.is_relative_to(folder)
    return {
        "file": str(file.path.relative_to(folder) if inside else file.path),
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
        "licence": info.licence[:100],
        "architecture": info.architecture[:50],
        "file_task": info.task,
        "parameters": info.parameters,
        "quantization": info.quantization,
        "trained_context": info.trained_context,
        "chat_template": info.chat_template,
    }
