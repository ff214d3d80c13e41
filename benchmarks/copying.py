"""Copies the rows of our SQLite file into PostgreSQL, where loading again would take an hour."""

import sqlite3
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import Table
from sqlmodel import SQLModel

from models import migrations
from models.database.connections import connect

BATCH = 2000
# Only SQLite's index of words has this column.
SQLITE_ONLY = "number"
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
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
        indexes = connection.execute(SECONDARY_INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(SQL("DROP INDEX {}").format(Identifier(name)))
        for table in SQLModel.metadata.sorted_tables:
            _copy_table(file, connection, table)
        for _, definition in indexes:
            connection.execute(definition)


def _copy_table(file: Path, connection: psycopg.Connection, table: Table) -> None:
    names = [column.name for column in table.columns if column.name != SQLITE_ONLY]
    name = Identifier(table.name)
    columns = SQL(", ").join(map(Identifier, names))
    connection.execute(SQL("DELETE FROM {}").format(name))
    # In the order of the key, so that the key's index fills from its beginning to its end.
    order = ", ".join(column.name for column in table.primary_key)
    select = f'SELECT {", ".join(names)} FROM "{table.name}" ORDER BY {order}'  # noqa: S608
    source = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        rows = source.execute(select)
        copy_in = SQL("COPY {} ({}) FROM STDIN").format(name, columns)
        with connection.cursor() as cursor, cursor.copy(copy_in) as target:
            while batch := rows.fetchmany(BATCH):
                for row in batch:
                    target.write_row(row)
    finally:
        source.close()
