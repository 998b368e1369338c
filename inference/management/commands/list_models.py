"""`manage.py list_models`: what is in the registry."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from inference import registry
from inference.models import LanguageModel
from inference.sources import redacted

from ._progress import size_text

TITLES = ("ID", "NAME", "QUANTIZATION", "SIZE", "CONTEXT", "STATE")


class Command(BaseCommand):
    help = "List the registered models."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="an array of objects")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = LanguageModel.objects.prefetch_related("aliases")
        if options["json"]:
            self.stdout.write(json.dumps([_object(row) for row in rows], indent=2))
            return
        lines = [TITLES, *map(_cells, rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


def _state(row: LanguageModel) -> str:
    if not row.enabled:
        return "disabled"
    if registry.is_fetched(row):
        return "ready"
    return "damaged" if row.file else "not fetched"


def _context(row: LanguageModel) -> int | None:
    return row.origin.context_length or row.origin.trained_context


def _cells(row: LanguageModel) -> tuple[str, ...]:
    return (
        row.slug,
        row.display_name,
        row.quantization or "-",
        size_text(row.size_bytes),
        str(_context(row) or "-"),
        _state(row),
    )


def _object(row: LanguageModel) -> dict[str, Any]:
    return {
        "id": row.slug,
        "name": row.display_name,
        "aliases": [alias.name for alias in row.aliases.all()],
        "base": row.base.slug if row.base else None,
        "draft": row.draft.slug if row.draft else None,
        "source": redacted(row.source),
        "path": str(row.path) if row.path else None,
        "sha256": row.sha256 or None,
        "size_bytes": row.size_bytes,
        "licence": row.licence or None,
        "architecture": row.architecture or None,
        "parameters": row.parameters,
        "quantization": row.quantization or None,
        "context": _context(row),
        "state": _state(row),
    }
