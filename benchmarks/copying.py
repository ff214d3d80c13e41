"""Copies the rows of our SQLite file into PostgreSQL, where loading again would take an hour."""

from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection, Table, select
from sqlmodel import SQLModel

from models import migrations
from models.database.connections import connect, file_url
from models.database.prepared_statements import ReadyRows, ready_rows

BATCH = 2000
# Only SQLite's index of words has this column.
SQLITE_ONLY = "number"
DRIVER = "postgresql+psycopg"
SECONDARY_INDEXES = (
    "SELECT indexname, indexdef FROM pg_indexes"
    " WHERE schemaname = 'public' AND indexname LIKE 'ix\\_%'"
)


def copy(file: Path, url: str) -> None:
    """Fill an empty database with the rows of a file, and build its secondary indexes at the end.

    Foreign keys are not checked: they hold in the file.
    """
    database = connect(url)
    migrations.migrate(database)
    database.close()
    ours = connect(file_url(file))
    with psycopg.connect(url) as connection, ours.read(unlimited=True) as source:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
        indexes = connection.execute(SECONDARY_INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(SQL("DROP INDEX {}").format(Identifier(name)))
        for table in SQLModel.metadata.sorted_tables:
            _copy_table(source, connection, table)
        for _, definition in indexes:
            connection.execute(definition)
    ours.close()


def _copy_table(source: Connection, connection: psycopg.Connection, table: Table) -> None:
    connection.execute(SQL("DELETE FROM {}").format(Identifier(table.name)))
    columns = [column for column in table.columns if column.name != SQLITE_ONLY]
    # In the order of the key, so that the key's index fills from its beginning to its end.
    rows = select(*columns).order_by(*table.primary_key)
    result = source.execution_options(yield_per=BATCH).execute(rows).mappings()
    for batch in result.partitions():
        _write(connection, ready_rows(DRIVER, table, [dict(row) for row in batch]))


def _write(connection: psycopg.Connection, rows: ReadyRows) -> None:
    names = SQL(", ").join(map(Identifier, rows.names))
    statement = SQL("COPY {} ({}) FROM STDIN").format(Identifier(rows.table), names)
    with connection.cursor() as cursor, cursor.copy(statement) as target:
        for row in rows.values:
            target.write_row(row)
