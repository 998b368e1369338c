"""`manage.py create_key USER NAME`: an API key, printed once."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import ApiKey, User

MAX_NAME = ApiKey._meta.get_field("name").max_length or 0
MAX_DAYS = 36500


class Command(BaseCommand):
    help = "Make an API key for a person. It is printed once, and stored nowhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="their user name")
        parser.add_argument("name", help="what the key is for")
        parser.add_argument("--days", type=int, help="refuse it after so many days")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r} (manage.py createsuperuser).")
        name, days = options["name"].strip(), options["days"]
        if not name.isprintable() or not 1 <= len(name) <= MAX_NAME:
            raise CommandError(f"{name!r} is not a name of 1 to {MAX_NAME} printable characters.")
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days: {days} is not a number from 1 to {MAX_DAYS}")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        key, text = ApiKey.objects.issue(user, name, expires_at)
        self.stderr.write(f"Key {key.name!r} of {user}. Keep it: it is not shown again.")
        self.stdout.write(text)
