"""Rows come into the registry: every one passes through here, or through the admin."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from inference.models import Alias, LanguageModel
from inference.sources import SourceNotFound, parse, problem_of, redacted

from .drafts import check_draft
from .errors import DuplicateModel, InvalidModel, UnknownBase, UnknownDraft, UnknownModel
from .slugs import slugs_of


def get(name: str) -> LanguageModel:
    """The model of that id or alias. Raises UnknownModel."""
    row = LanguageModel.objects.named(name).first()
    if row is None:
        raise UnknownModel(f"no model has the id or alias {name!r}")
    return row


def base_of(name: str | None) -> LanguageModel | None:
    """The model of that id or alias that an adapter is for; None for no name.

    Raises:
        UnknownBase: no model has it.
    """
    return _other(name, "base", UnknownBase)


def draft_of(name: str | None) -> LanguageModel | None:
    """The model of that id or alias that is to draft for another; None for no name.

    Raises:
        UnknownDraft: no model has it.
    """
    return _other(name, "draft", UnknownDraft)


def _other(name: str | None, field: str, unknown: type[UnknownModel]) -> LanguageModel | None:
    row = LanguageModel.objects.named(name).first() if name else None
    if name and row is None:
        raise unknown(f"{field}: no model has the id or alias {name!r}")
    return row


def get_or_add(source: str) -> LanguageModel:
    """The model of that source, registered if it is not yet. Raises as `add` does."""
    return LanguageModel.objects.filter(source=source).first() or add(source)


def add(
    source_or_path: str,
    *,
    slug: str = "",
    name: str = "",
    aliases: Iterable[str] = (),
    **options: Any,
) -> LanguageModel:
    """Register a model; nothing is fetched yet.

    `slug` comes from the file's name unless it is given: without the quantization, or
    with it if that is taken. `options` are further columns of LanguageModel.

    Raises:
        SourceError: the source is malformed, or the path names no file.
        DuplicateModel: the id is taken; or the source, and no id is given.
        InvalidModel: naming every bad value.
    """
    source = source_uri(source_or_path)
    if options.get("projector"):
        options["projector"] = source_uri(options["projector"])
    row = LanguageModel(slug=slug or free_slug(source), name=name, source=source, **options)
    return save_new(row, aliases)


def source_uri(source_or_path: str) -> str:
    """The URI, checked; a path becomes one. Raises SourceError."""
    if "://" in source_or_path:
        parse(source_or_path)
        return source_or_path
    try:
        path = Path(source_or_path).expanduser().absolute()
    except RuntimeError as error:  # there is nobody of that name, or no home
        raise _neither(source_or_path, str(error)) from None
    if problem := problem_of(path):
        raise _neither(source_or_path, problem)
    return path.as_uri()


def _neither(given: str, problem: str) -> SourceNotFound:
    return SourceNotFound(given, f"is neither a URI nor a file: {problem}")


def free_slug(source: str) -> str:
    """An id for a source that has none yet. Raises DuplicateModel."""
    same = LanguageModel.objects.filter(source=source).first()
    if same:
        raise DuplicateModel(
            f"{redacted(source)} is registered already, as {same.slug!r};"
            " give an id to register it once more"
        )
    short, full = slugs_of(parse(source).file_name)
    return full if LanguageModel.objects.named(short).exists() else short


def save_new(row: LanguageModel, aliases: Iterable[str]) -> LanguageModel:
    """Validate and save the row with its aliases, or nothing. Raises as `add` does."""
    same = LanguageModel.objects.filter(slug=row.slug).first()
    if same:
        raise DuplicateModel(f"the id {row.slug!r} is taken, by {redacted(same.source)}")
    try:
        with transaction.atomic():
            _clean(row)
            row.save()
            for alias in dict.fromkeys(aliases):
                _save_alias(Alias(model=row, name=alias))
    except ValidationError as error:
        raise InvalidModel(row.slug, error) from None
    except IntegrityError:  # another process was faster
        raise DuplicateModel(f"the id {row.slug!r}, or an alias of it, is taken") from None
    return row


def save_changed(row: LanguageModel, aliases: Iterable[str] | None = None) -> None:
    """Validate and save a row that is there, with these aliases if any are given, or nothing.

    Raises:
        InvalidModel, DuplicateModel: as `add` does.
    """
    try:
        with transaction.atomic():
            if aliases is not None:
                _replace_aliases(row, dict.fromkeys(aliases))
            _clean(row)
            row.save()
    except ValidationError as error:
        raise InvalidModel(row.slug, error) from None
    except IntegrityError:  # another process was faster
        raise DuplicateModel(f"the id {row.slug!r}, or an alias of it, is taken") from None


def _replace_aliases(row: LanguageModel, names: Iterable[str]) -> None:
    """One at a time: the audit log sees no other changes."""
    kept = {*names}
    for alias in row.aliases.all():
        if alias.name not in kept:
            alias.delete()
    known = {*row.aliases.values_list("name", flat=True)}
    for name in names:
        if name not in known:
            _save_alias(Alias(model=row, name=name))


def _clean(row: LanguageModel) -> None:
    """A disabled row may wait for its source."""
    try:
        row.full_clean()
    except ValidationError as error:
        if row.enabled or row.source or set(error.message_dict) != {"source"}:
            raise
    check_draft(row)


def _save_alias(alias: Alias) -> None:
    try:
        alias.full_clean()
    except ValidationError as error:
        texts = [f"{alias.name!r}: {' '.join(error.messages)}"]
        raise ValidationError({"aliases": texts}) from None
    alias.save()
