"""`manage.py explain_key KEY`: which rule would deny a request, and why."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.explanation import Question, explain
from accounts.models import ApiKey, Endpoint
from inference.models import LanguageModel


class Command(BaseCommand):
    help = "Say which rules hold for a key, and which of them would deny a request."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="the key, or its start: sk-abcd1234")
        parser.add_argument("--model", default="", help="id or alias")
        parser.add_argument("--endpoint", default="", choices=["", *Endpoint.values])
        parser.add_argument("--address", default="", help="where the request would come from")
        parser.add_argument("--prompt-tokens", type=_number, default=0)
        parser.add_argument("--max-tokens", type=_number, default=0)

    def handle(self, *args: Any, **options: Any) -> None:
        key = ApiKey.objects.select_related("user").known_as(options["key"]).first()
        if key is None:
            raise CommandError(f"There is no key {options['key'][:11]!r}.")
        question = Question(
            options["endpoint"],
            self._slug(options["model"]),
            options["address"],
            options["prompt_tokens"],
            options["max_tokens"],
        )
        findings = [*explain(key, question, timezone.now())]
        for finding in findings:
            style = self.style.SUCCESS if finding.passes else self.style.ERROR
            self.stdout.write(style(f"{'passes' if finding.passes else 'DENIES'}  {finding.text}"))
        if not all(finding.passes for finding in findings):
            raise CommandError("The request would be denied.", returncode=1)

    def _slug(self, name: str) -> str:
        if not name:
            return ""
        model = LanguageModel.objects.named(name).first()
        if model is None:
            raise CommandError(f"There is no model {name!r} (manage.py list_models).")
        if not model.enabled:
            raise CommandError(f"The model {model} is not enabled: requests for it get 404.")
        return model.slug


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is not a number of tokens.")
    return int(text)
