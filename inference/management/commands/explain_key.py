"""`manage.py explain_key KEY`: which rule would deny a request, and why."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.callers import configured_name
from accounts.explanation import Finding, Question, explain, explain_configured
from accounts.models import ApiKey, Endpoint
from inference.models import LanguageModel

NUMBERS = {
    "prompt_tokens": "tokens of the prompt",
    "max_tokens": "tokens that the answer may have",
    "messages": "messages of the chat",
    "prompt_characters": "characters of the prompt",
    "body_kb": "size of the request in KiB",
}


class Command(BaseCommand):
    help = "Say which rules hold for a key, and which of them would deny a request."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "key", help="the key, or its start: sk-abcd1234; of security.api_keys, all of it"
        )
        parser.add_argument("--model", default="", help="id or alias")
        parser.add_argument("--endpoint", default="", choices=["", *Endpoint.values])
        parser.add_argument("--address", default="", help="where the request would come from")
        parser.add_argument("--deterministic", action="store_true", help="an answer computed alone")
        for name, what in NUMBERS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", type=_number, default=0, help=what)

    def handle(self, *args: Any, **options: Any) -> None:
        question = Question(
            options["endpoint"],
            self._slug(options["model"]),
            options["address"],
            deterministic=options["deterministic"],
            **{name: options[name] for name in NUMBERS},
        )
        findings = [*_findings(options["key"], question)]
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


def _findings(text: str, question: Question) -> Iterator[Finding]:
    if name := configured_name(text):
        return explain_configured(name, question)
    key = ApiKey.objects.select_related("user").known_as(text).first()
    if key is None:
        raise CommandError(f"There is no key {text[:11]!r}.")
    return explain(key, question, timezone.now())


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"{text!r} is not a number.")
    return int(text)
