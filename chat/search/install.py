"""Makes the database's full-text index: in a migration, and after every other."""

from typing import Any

from django.db import connections

from . import postgresql, sqlite

BACKENDS = {"postgresql": postgresql, "sqlite": sqlite}


def install(apps: Any, schema_editor: Any) -> None:
    """For a migration."""
    index = BACKENDS[schema_editor.connection.vendor]
    _run(schema_editor.connection.alias, [*index.installing(), *index.filling()])


def remove(apps: Any, schema_editor: Any) -> None:
    """For a migration, backwards."""
    _run(schema_editor.connection.alias, [*BACKENDS[schema_editor.connection.vendor].removing()])


def reinstall(using: str, **_: Any) -> None:
    """What a later migration took away by making a table anew, if anything (post_migrate)."""
    connection = connections[using]
    if "chat_message_words" in _indexes(connection):
        _run(using, [*BACKENDS[connection.vendor].installing()])


def _indexes(connection: Any) -> set[str]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master")
        else:
            cursor.execute("SELECT indexname FROM pg_indexes")
        return {name for (name,) in cursor.fetchall()}


def _run(using: str, statements: list[str]) -> None:
    with connections[using].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
