"""`manage.py tidy`: what the server does once a day by itself."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from accounts.retention import tidy


class Command(BaseCommand):
    help = "Sum up the days that are over, and delete what is older than its retention."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, number in tidy(timezone.now()).items():
            self.stdout.write(f"{number} {name} deleted")
