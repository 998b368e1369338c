"""`manage.py revoke_key KEY`: refuse a key from now on."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import ApiKey


class Command(BaseCommand):
    help = "Refuse an API key from now on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="the key, or its start: sk-abcd1234")

    def handle(self, *args: Any, **options: Any) -> None:
        key = ApiKey.objects.known_as(options["key"]).first()
        if key is None:
            raise CommandError(f"There is no key {options['key'][:11]!r}.")
        if not key.revoke():
            raise CommandError(f"The key {key} was revoked at {key.revoked_at:%Y-%m-%d %H:%M} UTC.")
        self.stdout.write(f"Revoked {key} of {key.user}.")
