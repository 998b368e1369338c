"""`manage.py serve`: everything from an empty folder to a running service."""

import logging
import secrets
import signal
import socket
import sys
from argparse import ArgumentParser
from typing import Any

from channels.routing import get_default_application
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command

from inference.models import LanguageModel
from inference.server import DrainingServer

logger = logging.getLogger(__name__)

ADMIN = "admin"


class Command(BaseCommand):
    help = "Migrate the database, fetch missing models, and serve (see [server] of llmsite.toml)."
    requires_system_checks = []  # run below, where they print what is wrong

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--no-setup",
            action="store_true",
            help="Only serve: no migration, no registration, no fetching.",
        )

    def handle(self, *args: Any, no_setup: bool, **options: Any) -> None:
        # A container's first process ignores the signal unless it is handled.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        host, port = settings.CONFIG.server.host, settings.CONFIG.server.port
        self._require_free(host, port)
        password = None if no_setup else self._set_up()
        server = DrainingServer(
            get_default_application(), host, port, lambda: self._greet(host, port, password)
        )
        if not server.run():
            raise CommandError(f"server.port: cannot listen on {host}:{port}.")
        self.stderr.write("Stopped.")

    def _require_free(self, host: str, port: int) -> None:
        """Before minutes of setting up, not after."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((host, port))
            except OSError as error:
                raise CommandError(
                    f"server.port: cannot listen on {host}:{port} ({error.strerror})."
                ) from None

    def _set_up(self) -> str | None:
        call_command("migrate", verbosity=0, interactive=False)
        try:
            call_command("prefetch", stdout=self.stderr)
        except CommandError as error:  # what is there can be served
            self.stderr.write(self.style.ERROR(str(error)))
        return self._make_admin()

    def _make_admin(self) -> str | None:
        """The first administrator; return the password, which is shown once."""
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            return None
        password = secrets.token_urlsafe(12)
        users.create_superuser(ADMIN, password=password)
        return password

    def _greet(self, host: str, port: int, password: str | None) -> None:
        is_anywhere = host in ("0.0.0.0", "::")  # noqa: S104
        shown = "127.0.0.1" if is_anywhere else host
        here = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
        url = settings.CONFIG.server.public_url or here
        model = LanguageModel.objects.routable().values_list("slug", flat=True).first()
        lines = [f"llmsite is ready on {url}", f"  administration: {url}/admin/"]
        if is_anywhere and url == here and not _answers_to_others():
            lines.append("  from other machines: name it as they do in server.allowed_hosts")
        if password:
            lines.append(
                f"    sign in as {ADMIN!r} with {password!r} (shown this once;"
                f" change it with: manage.py changepassword {ADMIN})"
            )
        if settings.CONFIG.security.enable_auth:
            lines.append(f"  keys: {url}/accounts/keys/, or manage.py create_key --help")
        if model:
            lines += ["  try:", f"    {self._curl(url, model)}"]
        else:
            lines.append("  no model can be used yet: manage.py add_model --help")
        lines.append("  Ctrl-C stops it.")
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    def _curl(self, url: str, model: str) -> str:
        key = " -H 'Authorization: Bearer YOUR_KEY'" if settings.CONFIG.security.enable_auth else ""
        message = '{"role":"user","content":"Say hello."}'
        return (
            f"curl {url}/v1/chat/completions{key} -H 'Content-Type: application/json'"
            f' -d \'{{"model":"{model}","messages":[{message}]}}\''
        )


def _answers_to_others() -> bool:
    """To names that are not this machine's own."""
    return bool(settings.CONFIG.server.allowed_hosts) or "*" in settings.ALLOWED_HOSTS
