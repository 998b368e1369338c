from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from . import emails  # noqa: F401  receivers connect themselves
        from .audit import signals  # noqa: F401
