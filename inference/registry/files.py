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
    """Get the row's file, verify it, and fill the row's columns from it; then its projector.

    Raises:
        SourceError: it did not come, or its SHA-256 is not the row's.
        BadModelFile: it is not a whole GGUF model, or not of the kind that the row is for.
        NotFetched: the row has neither a source nor a file.
        SourceChanged: meanwhile the row was given another source, or deleted.
    """
    if not row.source and row.path is None:
        raise NotFetched(f"{row.slug} has no source to fetch from")
    uri = row.source or _path(row).absolute().as_uri()
    file = fetch(uri, settings.MODELS_DIR, sha256=row.sha256, on_progress=on_progress)
    info = inspect(file.path)
    _check_kind(row, info, file.path)
    columns = _columns(file, info)
    columns["licence"] = columns["licence"] or row.licence
    _fill(row, columns)
    if row.projector:
        _fetch_projector(row, on_progress)


def _fetch_projector(row: LanguageModel, on_progress: Progress) -> None:
    sha256 = row.projector_sha256
    file = fetch(row.projector, settings.MODELS_DIR, sha256=sha256, on_progress=on_progress)
    if not inspect(file.path).is_projector:
        raise BadModelFile(file.path, f"is no projector, and {row.slug} names it as one")
    columns = {
        "projector_file": _name(file.path),
        "projector_sha256": file.sha256,
        "projector_size_bytes": file.size_bytes,
    }
    _fill(row, columns)


def _check_kind(row: LanguageModel, info: GgufInfo, path: Path) -> None:
    if info.is_projector:
        raise BadModelFile(path, "is a projector: the row of the model it is for has to name it")
    if info.is_adapter and row.base is None:
        raise BadModelFile(
            path, "is a LoRA adapter: its row has to name the model it is for (base)"
        )
    if row.base is None:
        return
    if not info.is_adapter:
        raise BadModelFile(path, f"is no LoRA adapter, and its row is one of {row.base}")
    known = row.base.architecture
    if known and known != info.architecture[:50]:
        raise BadModelFile(
            path, f"is an adapter for {info.architecture!r} models, and {row.base} is {known!r}"
        )


@transaction.atomic
def _fill(row: LanguageModel, columns: dict[str, Any]) -> None:
    """Write these columns and no other: the row may have been changed while the file came."""
    rows = LanguageModel.objects.select_for_update(of=("self",))
    stored = rows.filter(pk=row.pk, source=row.source, projector=row.projector).first()
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
    _verify(path, row.sha256)
    if row.projector_path:
        _verify(row.projector_path, row.projector_sha256)


def _verify(path: Path, sha256: str) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise BadModelFile(path, f"cannot be read: {error.strerror}") from None
    if found != sha256.lower():
        raise CorruptedModelFile(
            f"{path} is corrupted: expected sha256 {sha256}, found {found}."
            " Delete it and prefetch the model again"
        )


def is_fetched(row: LanguageModel) -> bool:
    """Whether the files are there and have the sizes that they were registered with."""
    if not row.file or not row.sha256:
        return False
    if row.projector and not _has_size(row.projector_path, row.projector_size_bytes):
        return False
    return _has_size(_path(row), row.size_bytes)


def _has_size(path: Path | None, size_bytes: int | None) -> bool:
    try:
        return path is not None and size_bytes == sum(p.stat().st_size for p in parts(path))
    except (OSError, BadModelFile):
        return False


def _path(row: LanguageModel) -> Path:
    if row.path is None:
        raise NotFetched(f"{row.slug} has not been fetched")
    return row.path


def _columns(file: FetchedFile, info: GgufInfo) -> dict[str, Any]:
    """The columns "From the file", cut to what PostgreSQL takes."""
    return {
        "file": _name(file.path),
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


def _name(path: Path) -> str:
    """Relative to the models folder, if it is there."""
    folder = Path(settings.MODELS_DIR).absolute()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
