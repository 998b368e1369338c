"""Search in SQLite: FTS5 tables over the rows' own texts, which triggers keep up to date.

An answer is indexed when it has ended, not each time that its beginning is kept. So a
message is in the index exactly while it is not `running`: FTS5 wants to be told what
was there when it is to forget it.
"""

from collections.abc import Iterable

from .words import Query, Term

# Table, its column, and when a row of it (as `{row}`) is in the index.
INDEXED = (
    ("chat_message", "text", "{row}.status <> 'running'"),
    ("chat_conversation", "title", "1"),
)
MATCHES = "SELECT rowid FROM {table}_words WHERE {table}_words MATCH %s"
# `+`: in one walk over what matches, and not with one search for each row.
SNIPPETS = """SELECT rowid, snippet({table}_words, 0, char(2), char(3), '…', 24)
FROM {table}_words WHERE {table}_words MATCH %s AND +rowid IN ({ids})"""


def installing() -> Iterable[str]:
    """Statements that make what is missing. A migration that alters one of the tables
    makes it anew, and its triggers go: so they are run after every migration.
    """
    for table, column, condition in INDEXED:
        yield (
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {table}_words USING fts5({column}, "
            f"content='{table}', content_rowid='id', tokenize='unicode61 remove_diacritics 2')"
        )
        yield from _triggers(table, column, condition)


def _triggers(table: str, column: str, condition: str) -> Iterable[str]:
    forget = (
        f"INSERT INTO {table}_words({table}_words, rowid, {column}) "
        f"SELECT 'delete', old.id, old.{column} WHERE {condition.format(row='old')};"
    )
    learn = (
        f"INSERT INTO {table}_words(rowid, {column}) "
        f"SELECT new.id, new.{column} WHERE {condition.format(row='new')};"
    )
    columns = f"{column}, status" if "status" in condition else column
    for event, statements in (
        ("INSERT", learn),
        ("DELETE", forget),
        (f"UPDATE OF {columns}", forget + learn),
    ):
        name = f"{table}_words_{event.split()[0].lower()}"
        yield (
            f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {table} BEGIN {statements} END"
        )


def filling() -> Iterable[str]:
    """Statements that index the rows that are there already."""
    for table, column, condition in INDEXED:
        yield (
            f"INSERT INTO {table}_words(rowid, {column}) "  # noqa: S608  names of ours
            f"SELECT id, {column} FROM {table} WHERE {condition.format(row=table)}"
        )


def removing() -> Iterable[str]:
    for table, _, _ in INDEXED:
        for event in ("insert", "delete", "update"):
            yield f"DROP TRIGGER IF EXISTS {table}_words_{event}"
        yield f"DROP TABLE IF EXISTS {table}_words"


def matching(table: str, query: Query) -> tuple[str, list[str]]:
    """SQL of the ids that match, and its parameters."""
    return MATCHES.format(table=table), [_expression(query)]


def snippets(table: str, query: Query, ids: list[int]) -> tuple[str, list[object]]:
    """SQL of ids and the text around what matches, marked by the characters 2 and 3."""
    places = ", ".join(["%s"] * len(ids))
    return SNIPPETS.format(table=table, ids=places), [_expression(query), *ids]


def _expression(query: Query) -> str:
    """In FTS5's language. Words have no quotes, so they cannot leave theirs."""
    wanted = " AND ".join(map(_quoted, query.wanted))
    return f"({wanted})" + "".join(f" NOT {_quoted(term)}" for term in query.excluded)


def _quoted(term: Term) -> str:
    return f'"{term.text}"' + " *" * term.is_prefix
