"""Writes what is derived of claims, in the transaction of the change that altered them."""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection

from models.database.prepared_statements import insert_rows, replace_rows
from models.projection.derive import Rows, derive
from models.projection.tables import DERIVED
from models.records import serializers
from models.search import index, vectors

BATCH = 500


def refresh(connection: Connection, claims: Iterable[str]) -> None:
    """Derive the read model of these claims again, and write the differences."""
    for batch in in_batches(sorted(claims)):
        derived = derive(connection, batch)
        for model in DERIVED:
            table = serializers.table(model)
            replace_rows(connection, table, "claim", batch, derived[table.name])
        index.update_search_rows(connection, "claim", batch, derived)
        vectors.delete_outdated(connection, batch)


def store(connection: Connection, derived: Rows) -> None:
    """Store the rows from `derive` for claims that have no rows in the read model yet."""
    for model in DERIVED:
        table = serializers.table(model)
        insert_rows(connection, table, derived[table.name])
    index.insert_search_rows(connection, "claim", [derived])


def in_batches(claims: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the claims in slices of at most `BATCH`, in their order."""
    for start in range(0, len(claims), BATCH):
        yield claims[start : start + BATCH]
