"""Writes what is derived of claims, in the transaction of the change that altered them."""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection

from models.database.prepared_statements import ReadyRows, insert_ready, replace_rows
from models.projection.derive import Rows, derive
from models.projection.tables import DERIVED
from models.records import serializers
from models.search import index, vectors

BATCH = 500
# The tables of the read model, without those that have a full-text index.
PLAIN_TABLES = (
    *(serializers.table(model) for model in DERIVED),
    *index.plain_tables("claim"),
)


def refresh(connection: Connection, claims: Iterable[str]) -> None:
    """Derive the read model of these claims again, and write the differences."""
    for batch in in_batches(sorted(claims)):
        derived = derive(connection, batch)
        for model in DERIVED:
            table = serializers.table(model)
            replace_rows(connection, table, "claim", batch, derived[table.name])
        index.update_search_rows(connection, "claim", batch, derived)
        vectors.delete_outdated(connection, batch)


def store_ready(connection: Connection, rows: Iterable[ReadyRows], words: Rows) -> None:
    """Store what was derived of claims that have no rows in the read model yet.

    `rows` are those of `PLAIN_TABLES`, and `words` those of the tables with a full-text index.
    """
    for of_table in rows:
        insert_ready(connection, of_table)
    index.insert_words(connection, "claim", words)


def in_batches(claims: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the claims in slices of at most `BATCH`, in their order."""
    for start in range(0, len(claims), BATCH):
        yield claims[start : start + BATCH]
