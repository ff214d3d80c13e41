"""Rows that go to the driver and come from it directly, for what is read most often and written most at once."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pydantic_core import to_json
from sqlalchemy import JSON, Connection, Dialect, Select, Table
from sqlalchemy.exc import DBAPIError

MOST_PREPARED = 1000
BULK_CACHE_KB = 64 * 1024


@dataclass(frozen=True)
class Prepared:
    """A statement in the database's own words: in which order (or, None, by name) it takes its values, which of them it
    brings along, the names of its columns, and what has to be made of some of them."""

    text: str
    order: tuple[str, ...] | None
    own: Mapping[str, Any]
    columns: tuple[str, ...]
    made: Sequence[tuple[int, Callable[[Any], Any]]]

    def arguments(self, values: Mapping[str, Any]) -> Any:
        """Return the values as the driver takes them."""
        given = {**self.own, **values}
        return given if self.order is None else tuple([given[name] for name in self.order])


_prepared: WeakKeyDictionary[Dialect, dict[Hashable, Prepared]] = WeakKeyDictionary()


def fetch(
    connection: Connection, key: Hashable, build: Callable[[], Select[Any]], values: Mapping[str, Any]
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return the columns and rows of a statement. `build` makes it, with `bindparam`s for `values`, once for each `key`.

    To build and compile a statement takes several times as long as to run it, so it is kept in the database's own words,
    and goes to the driver directly.
    """
    found = prepared(connection, key, build, values)
    if not connection.in_transaction():
        connection.begin()
    arguments = found.arguments(values)
    driver: Any = connection.connection.driver_connection
    try:
        rows = driver.execute(found.text, arguments).fetchall()
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance(
            found.text,
            arguments,
            error,
            connection.dialect.loaded_dbapi.Error,
            dialect=connection.dialect,
        ) from error
    for place, make in found.made:
        rows = [(*row[:place], make(row[place]), *row[place + 1 :]) for row in rows]
    return found.columns, rows


def prepared(
    connection: Connection, key: Hashable, build: Callable[[], Select[Any]], values: Mapping[str, Any]
) -> Prepared:
    """Return the statement of a key in the database's own words; it is built where it is not kept yet."""
    known = _prepared.setdefault(connection.dialect, {})
    found = known.get(key)
    if found is None:
        if len(known) >= MOST_PREPARED:
            known.clear()
        found = known[key] = _prepare(connection, build(), values)
    return found


def _prepare(connection: Connection, statement: Select[Any], values: Mapping[str, Any]) -> Prepared:
    used = connection.dialect
    compiled: Any = statement.params(values).compile(dialect=used)
    state = compiled.construct_expanded_state()
    made = [
        (place, make)
        for place, column in enumerate(statement.selected_columns)
        if (make := column.type.dialect_impl(used).result_processor(used, None)) is not None
    ]
    return Prepared(
        state.statement,
        tuple(state.positiontup) if compiled.positional else None,
        {name: value for name, value in state.parameters.items() if name not in values},
        tuple(str(column.key) for column in statement.selected_columns),
        made,
    )


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows, which name the same columns, by the driver's fastest way."""
    if not rows:
        return
    names = list(rows[0])
    texts = {name for name in names if isinstance(table.c[name].type, JSON)}
    values: Any = ([to_json(row[name]).decode() if name in texts else row[name] for name in names] for row in rows)
    quoted = connection.dialect.identifier_preparer.quote
    into = f"{quoted(table.name)} ({', '.join(map(quoted, names))})"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        connection.exec_driver_sql(f"INSERT INTO {into} VALUES ({marks})", [tuple(row) for row in values])  # noqa: S608
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for row in values:
            copy.write_row(row)


def prepare_for_many(connection: Connection) -> None:
    """Make room for a transaction that writes much: without it, SQLite writes each page out several times."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{BULK_CACHE_KB}")
