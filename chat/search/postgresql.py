"""Search in PostgreSQL: GIN indexes of the texts' words, in any language ('simple').

A text's words must fit into a megabyte, or its row could not be stored: so no more of
it is indexed than surely does. PostgreSQL takes `chat/tree.py` for one word and `<b>`
for none; here as in SQLite, a sign ends a word.
"""

from collections.abc import Iterable

from .words import Query, Term

INDEXED = {"chat_message": "text", "chat_conversation": "title"}
# An answer is found once it has ended; until then it would be indexed anew every second.
WHERE = {"chat_message": "status <> 'running'", "chat_conversation": "true"}
SIGNS = "<>/._-@:&+"
BLANKS = "".join(map(chr, range(14, 14 + len(SIGNS))))  # as many control characters
TEXT = f"translate(left({{column}}, 200000), '{SIGNS}', '{BLANKS}')"
VECTOR = f"to_tsvector('simple', {TEXT})"

MATCHES = f"SELECT id FROM {{table}} WHERE {VECTOR} @@ ({{expression}}) AND {{where}}"  # noqa: S608  names of ours
SNIPPETS = f"""SELECT id, translate(
    ts_headline('simple', {TEXT}, ({{expression}}), %s), '{BLANKS}', '{SIGNS}')
FROM {{table}} WHERE id IN ({{ids}})"""  # noqa: S608
OPTIONS = "StartSel=\2, StopSel=\3, MinWords=10, MaxWords=24, MaxFragments=1"

WEB = "websearch_to_tsquery('simple', %s)"
# As the text of a query its last word can be made a prefix; one without words stays as it is.
PREFIX = (
    "CASE WHEN numnode(phraseto_tsquery('simple', %s)) = 0 THEN ''::tsquery "
    "ELSE (phraseto_tsquery('simple', %s)::text || ':*')::tsquery END"
)


def installing() -> Iterable[str]:
    for table, column in INDEXED.items():
        yield (
            f"CREATE INDEX IF NOT EXISTS {table}_words ON {table} "
            f"USING gin ({VECTOR.format(column=column)}) WHERE {WHERE[table]}"
        )


def filling() -> Iterable[str]:
    """Nothing: an index is filled when it is made."""
    return ()


def removing() -> Iterable[str]:
    for table in INDEXED:
        yield f"DROP INDEX IF EXISTS {table}_words"


def matching(table: str, query: Query) -> tuple[str, list[str]]:
    """SQL of the ids that match, and its parameters."""
    expression, parameters = _expression(query)
    names = {"table": table, "column": INDEXED[table], "where": WHERE[table]}
    sql = MATCHES.format(**names, expression=expression)
    return sql, parameters


def snippets(table: str, query: Query, ids: list[int]) -> tuple[str, list[object]]:
    """SQL of ids and the text around what matches, marked by the characters 2 and 3."""
    expression, parameters = _expression(query)
    places = ", ".join(["%s"] * len(ids))
    sql = SNIPPETS.format(table=table, column=INDEXED[table], expression=expression, ids=places)
    return sql, [*parameters, OPTIONS, *ids]


def _expression(query: Query) -> tuple[str, list[str]]:
    whole = " ".join(_web(term) for term in query.terms if not term.is_prefix)
    growing = [_words(term) for term in query.terms if term.is_prefix]
    parts = [WEB] * bool(whole) + [PREFIX] * len(growing)
    parameters = [whole] * bool(whole) + [text for text in growing for _ in range(2)]
    return " && ".join(parts), parameters


def _web(term: Term) -> str:
    return f'{"-" * term.is_excluded}"{_words(term)}"'


def _words(term: Term) -> str:
    return term.text.translate(str.maketrans(SIGNS, " " * len(SIGNS)))
