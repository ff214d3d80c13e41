"""Indexes that are built, and foreign keys that are checked, once all rows of a large load are
there, instead of row by row.

Sorting all keys at once is faster than finding the place of each, and leaves no room between them.
To join two tables is faster than to look up each row.
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


# PostgreSQL runs a query for each row and each of its foreign keys, which is half of what a load
# costs there. In SQLite it is a step of the insert.
_FOREIGN_KEYS = {
    "sqlite": None,
    "postgresql": (
        "SELECT CAST(CAST(conrelid AS regclass) AS text), conname, pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE contype = 'f'"
        " AND connamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
        " ORDER BY 1, 2"
    ),
}


@contextmanager
def without_foreign_keys(connection: Connection) -> Iterator[None]:
    """Let no row be held against foreign keys in a block, but all rows at its end.

    The keys come back as they were, or with a rollback; until then nobody else can read these
    tables. They stay on a distributed database, and where they cost nothing. Raises IntegrityError
    at the end if a row refers to none.
    """
    statement = _FOREIGN_KEYS[connection.dialect.name]
    if statement is None or distributed_tables(connection):
        yield
        return
    quoted = connection.dialect.identifier_preparer.quote
    found = connection.exec_driver_sql(statement).all()
    for table, name, _ in found:
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {quoted(name)}")
    yield
    for table, name, definition in found:
        connection.exec_driver_sql(
            f"ALTER TABLE {table} ADD CONSTRAINT {quoted(name)} {definition}"
        )
