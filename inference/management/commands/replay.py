"""`manage.py replay ID`: make a deterministic answer again, and compare."""

import asyncio
import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference import registry, runtime
from inference.gguf_file import ModelFileError
from inference.models import LanguageModel, Receipt
from inference.receipts import CannotReplay, Replay, replay


class Command(BaseCommand):
    help = "Compute the request of a receipt again, and tell where its tokens differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("receipt", help="its id, as in x-receipt")

    def handle(self, *args: Any, receipt: str, **options: Any) -> None:
        row = _receipt(receipt)
        model = LanguageModel.objects.filter(slug=row.model).first()
        if model is None:
            raise CommandError(f"{receipt}: there is no model {row.model!r} any more")
        try:
            for file in {model, model.origin}:
                registry.verify(file)
            made = asyncio.run(_replayed(row, model))
        except (CannotReplay, ModelFileError, runtime.EngineError) as error:
            raise CommandError(f"{receipt}: {error}") from None
        self._tell(made)

    def _tell(self, made: Replay) -> None:
        """Raises CommandError where it is another answer."""
        before, place = made.receipt.output_tokens, made.difference
        if place is not None:
            old, new = (tokens[place : place + 1] or ["none"] for tokens in (before, made.output))
            raise CommandError(
                f"{made.receipt}: token {place} of {len(before)} is another:"
                f" the receipt has {old[0]}, this time it is {new[0]}"
            )
        self.stdout.write(f"{made.receipt}: the same {len(before)} tokens")


def _receipt(text: str) -> Receipt:
    try:
        return Receipt.objects.get(uid=uuid.UUID(text))
    except (ValueError, Receipt.DoesNotExist):
        raise CommandError(f"there is no receipt {text!r}") from None


async def _replayed(row: Receipt, model: LanguageModel) -> Replay:
    try:
        return await replay(row, model)
    finally:
        await runtime.shutdown()
