"""Our SQLite file's rows copied into PostgreSQL, for sizes at which loading everything a second time takes an hour."""

import sqlite3
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import Table
from sqlmodel import SQLModel

from models import migrations
from models.database.connections import connect

BATCH = 2000
# Only SQLite's index of words has places.
ONLY_THERE = "number"
_SECONDARY = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname LIKE 'ix\\_%'"


def copy(file: Path, url: str) -> None:
    """Fill an empty database with what a file of ours holds, row by row as it is, and settle its indexes at the end.

    Foreign keys rest meanwhile: they held where the rows come from.
    """
    database = connect(url)
    migrations.migrate(database)
    database.close()
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
        secondary = connection.execute(_SECONDARY).fetchall()
        for name, _ in secondary:
            connection.execute(SQL("DROP INDEX {}").format(Identifier(name)))
        for table in SQLModel.metadata.sorted_tables:
            _copy_table(file, connection, table)
        for _, definition in secondary:
            connection.execute(definition)


def _copy_table(file: Path, connection: psycopg.Connection, table: Table) -> None:
    names = [column.name for column in table.columns if column.name != ONLY_THERE]
    # In the order of the key, so that the key's index fills from its beginning to its end.
    order = ", ".join(column.name for column in table.primary_key)
    connection.execute(SQL("DELETE FROM {}").format(Identifier(table.name)))
    into = SQL("COPY {} ({}) FROM STDIN").format(
        Identifier(table.name), SQL(", ").join(map(Identifier, names))
    )
    source = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        rows = source.execute(f'SELECT {", ".join(names)} FROM "{table.name}" ORDER BY {order}')  # noqa: S608
        with connection.cursor() as cursor, cursor.copy(into) as target:
            while found := rows.fetchmany(BATCH):
                for row in found:
                    target.write_row(row)
    finally:
        source.close()
