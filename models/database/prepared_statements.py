"""Statements that go to the driver directly, for the most frequent reads and the largest writes.

Building and compiling a statement takes several times as long as running it, so compiled ones are
kept.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary

from pydantic_core import to_json
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Delete,
    Dialect,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from models.database.compressed import Packed

MAX_PREPARED = 1000
WriteStatement = Insert | Update | Delete
# The names of columns, and the values of each row.
TableRows = tuple[tuple[str, ...], list[tuple[Any, ...]]]
BULK_CACHE_KB = 64 * 1024


@dataclass(frozen=True)
class Prepared:
    """A compiled statement.

    `order` names its parameters in their order, or is None if they are passed by name. `constants`
    are the values that the statement itself has. `encoders` convert values, and `decoders` convert
    columns of the result, by their index.
    """

    text: str
    order: tuple[str, ...] | None
    constants: Mapping[str, Any]
    encoders: Mapping[str, Callable[[Any], Any]]
    columns: tuple[str, ...] = ()
    decoders: Sequence[tuple[int, Callable[[Any], Any]]] = ()

    def arguments(self, values: Mapping[str, Any]) -> Any:
        """Return the values as the driver takes them."""
        arguments = {**self.constants, **values}
        for name, encode in self.encoders.items():
            arguments[name] = encode(arguments[name])
        if self.order is None:
            return arguments
        return tuple([arguments[name] for name in self.order])


_prepared: WeakKeyDictionary[Dialect, dict[Hashable, Prepared]] = WeakKeyDictionary()


def fetch(
    connection: Connection,
    key: Hashable,
    build: Callable[[], Select[Any]],
    values: Mapping[str, Any],
) -> TableRows:
    """Return the names of the columns and the rows of a statement.

    `build` is called once for each `key`, and returns the statement with a `bindparam` for each of
    the `values`.
    """
    statement = get_prepared(connection, key, build, values)
    arguments = statement.arguments(values)
    rows = _execute(connection, statement.text, arguments, fetch=True)
    if statement.decoders:
        rows = [_converted(row, statement.decoders) for row in rows]
    return statement.columns, rows


def _converted(
    row: Sequence[Any], converters: Iterable[tuple[int, Callable[[Any], Any]]]
) -> tuple[Any, ...]:
    values = list(row)
    for index, convert in converters:
        values[index] = convert(values[index])
    return tuple(values)


def fetch_first(
    connection: Connection,
    key: Hashable,
    build: Callable[[], Select[Any]],
    values: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Return the first row of a statement by the names of its columns, or None; see `fetch`."""
    names, rows = fetch(connection, key, build, values)
    return dict(zip(names, rows[0], strict=True)) if rows else None


def execute(
    connection: Connection,
    key: Hashable,
    build: Callable[[], WriteStatement],
    *rows: Mapping[str, Any],
) -> None:
    """Run a statement that writes, once for each row of values; see `fetch`.

    An insert takes its values by the names of its columns.
    """
    if rows:
        statement = get_prepared(connection, key, build, rows[0])
        _execute(connection, statement.text, *map(statement.arguments, rows))


def insert_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert one row."""
    execute(connection, ("insert", table.name, *row), lambda: insert(table), row)


def update_rows(
    connection: Connection, table: Table, *changes: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> None:
    """Update rows; each change has the values of the key and the new values.

    All changes name the same columns.
    """
    values = [{**_prefixed("at", key), **_prefixed("to", row)} for key, row in changes]

    def build() -> Update:
        key, row = changes[0]
        update_set = update(table).values({name: bindparam(f"to_{name}") for name in row})
        return update_set.where(*_equals(table, key))

    execute(connection, ("update", table.name, *(values[0] if values else ())), build, *values)


def delete_rows(connection: Connection, table: Table, *keys: Mapping[str, Any]) -> None:
    """Delete the rows with these values in columns; all keys name the same columns."""
    values = [_prefixed("at", key) for key in keys]

    def build() -> Delete:
        return delete(table).where(*_equals(table, keys[0]))

    execute(connection, ("delete", table.name, *(values[0] if values else ())), build, *values)


def select_rows(
    connection: Connection, table: Table, column: str, values: Sequence[Any], **also: Any
) -> list[dict[str, Any]]:
    """Return the rows with one of these values in a column, and those of `also` in others."""
    names, found = fetch_rows(connection, table, column, values, **also)
    return [dict(zip(names, row, strict=True)) for row in found]


def fetch_rows(
    connection: Connection, table: Table, column: str, values: Sequence[Any], **also: Any
) -> TableRows:
    """Return what `select_rows` does as the names of the columns and the values of each row."""
    if not values:
        return (), []
    wanted = padded(values)

    def build() -> Select[Any]:
        return select(table).where(is_one_of(table.c[column], wanted), *_equals(table, also))

    key = ("rows", table.name, column, len(wanted), *also)
    return fetch(connection, key, build, {**wanted, **_prefixed("at", also)})


def padded(values: Sequence[Any]) -> dict[str, Any]:
    """Return values by the names of parameters, the last one repeated up to a power of two.

    So few statements serve lists of all lengths.
    """
    places = 1 << (len(values) - 1).bit_length()
    repeated = [*values, *[values[-1]] * (places - len(values))]
    return {f"wanted_{place}": value for place, value in enumerate(repeated)}


def is_one_of(column: Column[Any], wanted: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a column has the value of one of these parameters."""
    places: list[ColumnElement[Any]] = [bindparam(name) for name in wanted]
    return column.in_(places)


def rows_of(connection: Connection, statement: Select[Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a statement that is not kept, by the names of their columns."""
    result = connection.execute(statement)
    names = tuple(result.keys())
    for row in result:
        yield dict(zip(names, row, strict=True))


def replace_rows(
    connection: Connection,
    table: Table,
    column: str,
    values: Sequence[Any],
    rows: Sequence[Mapping[str, Any]],
    **also: Any,
) -> None:
    """Make these the rows with one of these values in a column, and those of `also` in others.

    Only differences are written.
    """
    key_columns = [column.name for column in table.primary_key]
    stored = {
        tuple(row[name] for name in key_columns): row
        for row in select_rows(connection, table, column, values, **also)
    }
    new: list[Mapping[str, Any]] = []
    # Updates of the same columns are sent together, since each statement may be a round trip.
    updates: dict[tuple[str, ...], list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for row in rows:
        key = {name: row[name] for name in key_columns}
        old = stored.pop(tuple(key.values()), None)
        if old is None:
            new.append(row)
            continue
        changed = {name: value for name, value in row.items() if value != old[name]}
        if changed:
            updates.setdefault(tuple(changed), []).append((key, changed))
    for same_columns in updates.values():
        update_rows(connection, table, *same_columns)
    removed = (dict(zip(key_columns, key_values, strict=True)) for key_values in stored)
    delete_rows(connection, table, *removed)
    insert_rows(connection, table, new)


def _prefixed(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    # SQLAlchemy reserves the bare names of columns for itself.
    return {f"{prefix}_{name}": value for name, value in values.items()}


def _equals(table: Table, names: Iterable[str]) -> list[ColumnElement[bool]]:
    return [table.c[name] == bindparam(f"at_{name}") for name in names]


def _execute(
    connection: Connection, text: str, *arguments: Any, fetch: bool = False
) -> list[tuple[Any, ...]]:
    """Run a statement, once for each of the arguments, and return its rows if `fetch` is set.

    The driver's errors are translated, including those raised while rows are fetched: SQLite
    detects most of them then.
    """
    if not connection.in_transaction():
        connection.begin()
    driver: Any = connection.connection.driver_connection
    with TranslatedErrors(connection, text, arguments[0]):
        if len(arguments) > 1:
            driver.cursor().executemany(text, arguments)
            return []
        cursor = driver.execute(text, arguments[0])
        return list(cursor.fetchall()) if fetch else []


class TranslatedErrors:
    """Context in which errors of the driver become those that SQLAlchemy raises."""

    __slots__ = ("arguments", "connection", "text")

    def __init__(self, connection: Connection, text: str, arguments: Any = None) -> None:
        self.connection, self.text, self.arguments = connection, text, arguments

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _traceback: Any) -> None:
        if isinstance(error, self.connection.dialect.loaded_dbapi.Error):
            raise translate_error(self.connection, error, self.text, self.arguments) from error


def translate_error(
    connection: Connection, error: Any, text: str, arguments: Any = None
) -> BaseException:
    """Return the SQLAlchemy error for an error of the driver."""
    kind = connection.dialect.loaded_dbapi.Error
    raised: BaseException = DBAPIError.instance(
        text, arguments, error, kind, dialect=connection.dialect
    )
    return raised


def get_prepared(
    connection: Connection,
    key: Hashable,
    build: Callable[[], Select[Any] | WriteStatement],
    values: Mapping[str, Any],
) -> Prepared:
    """Return the compiled statement for a key, built and compiled if it is not cached."""
    cache = _prepared.get(connection.dialect)
    if cache is None:
        cache = _prepared.setdefault(connection.dialect, {})
    statement = cache.get(key)
    if statement is None:
        if len(cache) >= MAX_PREPARED:
            cache.clear()
        statement = cache[key] = _prepare(connection, build(), values)
    return statement


def _prepare(
    connection: Connection, statement: Select[Any] | WriteStatement, values: Mapping[str, Any]
) -> Prepared:
    dialect = connection.dialect
    column_keys = list(values) if isinstance(statement, Insert) else None
    compiled: Any = statement.compile(dialect=dialect, column_keys=column_keys)
    state = compiled.construct_expanded_state(values)
    encoders = {}
    for name, parameter in compiled.binds.items():
        encode = parameter.type.dialect_impl(dialect).bind_processor(dialect)
        if name in state.parameters and encode is not None:
            encoders[name] = encode
    order = tuple(state.positiontup) if compiled.positional else None
    constants = {name: value for name, value in state.parameters.items() if name not in values}
    if not isinstance(statement, Select):
        assert not isinstance(statement, Insert) or not constants, (
            "a default that SQLAlchemy would compute is given, or left to the database"
        )
        return Prepared(state.statement, order, constants, encoders)
    decoders = []
    for index, column in enumerate(statement.selected_columns):
        decode = column.type.dialect_impl(dialect).result_processor(dialect, None)
        if decode is not None:
            decoders.append((index, decode))
    columns = tuple(str(column.key) for column in statement.selected_columns)
    return Prepared(state.statement, order, constants, encoders, columns, decoders)


@dataclass(frozen=True)
class ReadyRows:
    """Rows of a table as the driver takes them, with the names of their columns."""

    table: str
    names: tuple[str, ...]
    values: list[tuple[Any, ...]]


def driver_of(connection: Connection) -> str:
    """Return the name of the database and its driver as in a URL, such as `postgresql+psycopg`."""
    return connection.engine.url.drivername


@cache
def _dialect_of(driver: str) -> Dialect:
    dialect: Dialect = make_url(f"{driver}://").get_dialect()()
    return dialect


def ready_rows(driver: str, table: Table, rows: Sequence[Mapping[str, Any]]) -> ReadyRows:
    """Return rows with the same columns as a driver takes them; no connection is needed."""
    dialect = _dialect_of(driver)
    names = tuple(rows[0]) if rows else ()
    columns: list[Iterable[Any]] = []
    for name in names:
        column: Iterable[Any] = map(itemgetter(name), rows)
        encode = _encoder(table.c[name], dialect)
        columns.append(column if encode is None else map(encode, column))
    return ReadyRows(table.name, names, list(zip(*columns, strict=True)))


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows with the same columns, in the fastest way of the driver."""
    if len(rows) < 2:
        for row in rows:
            insert_row(connection, table, row)
        return
    insert_ready(connection, ready_rows(driver_of(connection), table, rows))


def insert_ready(connection: Connection, rows: ReadyRows) -> None:
    """Insert rows that are ready for the driver, in its fastest way."""
    if not rows.values:
        return
    quoted = connection.dialect.identifier_preparer.quote
    into = f"{quoted(rows.table)} ({', '.join(map(quoted, rows.names))})"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(rows.names))
        statement = f"INSERT INTO {into} VALUES ({marks})"  # noqa: S608
        connection.exec_driver_sql(statement, rows.values)
        return
    driver: Any = connection.connection.driver_connection
    statement = f"COPY {into} FROM STDIN"
    with (
        TranslatedErrors(connection, statement),
        driver.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in rows.values:
            copy.write_row(row)


def _encoder(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what makes a value ready for COPY or SQLite, or None if it is ready as it is."""
    if isinstance(column.type, JSON):
        return _json_text
    if isinstance(column.type, Packed):
        assert not column.nullable, f"{column} may be NULL, which its encoder does not know"
        return column.type.encoder(dialect)
    return None


def _json_text(value: Any) -> str | None:
    # Most lists of a record are empty, and to compare is quicker than to write JSON.
    if value == []:
        return "[]"
    return None if value is None else to_json(value).decode()


def prepare_for_bulk_write(connection: Connection) -> None:
    """Enlarge SQLite's cache for a large transaction, which else writes each page repeatedly."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{BULK_CACHE_KB}")
