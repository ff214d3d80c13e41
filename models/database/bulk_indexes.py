"""Indexes that are built once all rows of a large load are there, instead of row by row.

Sorting all keys at once is faster than finding the place of each, and leaves no room between them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, bindparam, text

from models.database.sharding import distributed_tables

# The statements that made the indexes of a table, without those of its keys.
_DEFINITIONS = {
    "sqlite": (
        "SELECT name, sql FROM sqlite_master"
        " WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN :tables ORDER BY name"
    ),
    "postgresql": (
        "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE schemaname = current_schema() AND tablename IN :tables"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint) ORDER BY indexname"
    ),
}
_SORTING_MEMORY = "256MB"


@contextmanager
def without_indexes(
    connection: Connection, tables: Iterable[Table], kept: Iterable[str]
) -> Iterator[None]:
    """Leave the indexes of tables out in a block, but for those with the names `kept`.

    They come back at its end, as they were. If it raises an error they come back with all else that
    its transaction did. They stay on a distributed database, which changes no table in the midst of
    a transaction that writes to it on many shards.
    """
    if distributed_tables(connection):
        yield
        return
    statement = text(_DEFINITIONS[connection.dialect.name]).bindparams(
        bindparam("tables", [table.name for table in tables], expanding=True)
    )
    found = connection.execute(statement).all()
    left_out = [(name, definition) for name, definition in found if name not in set(kept)]
    quoted = connection.dialect.identifier_preparer.quote
    for name, _ in left_out:
        connection.exec_driver_sql(f"DROP INDEX {quoted(name)}")
    yield
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL maintenance_work_mem = '{_SORTING_MEMORY}'")
    for _, definition in left_out:
        connection.exec_driver_sql(definition)
