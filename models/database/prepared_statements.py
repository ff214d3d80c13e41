"""Rows that go to the driver and come from it directly, for what is read most often and written most at once."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pydantic_core import to_json
from sqlalchemy import (
    JSON,
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
from sqlalchemy.exc import DBAPIError

MAX_PREPARED = 1000
WriteStatement = Insert | Update | Delete
BULK_CACHE_KB = 64 * 1024


@dataclass(frozen=True)
class Prepared:
    """A statement in the database's own words: in which order (or, None, by name) it takes its values, which of them it
    brings along and what has to be made of some; the names of its columns, and what has to be made of some of those."""

    text: str
    order: tuple[str, ...] | None
    own: Mapping[str, Any]
    taken: Mapping[str, Callable[[Any], Any]]
    columns: tuple[str, ...] = ()
    made: Sequence[tuple[int, Callable[[Any], Any]]] = ()

    def arguments(self, values: Mapping[str, Any]) -> Any:
        """Return the values as the driver takes them."""
        given = {**self.own, **values}
        for name, make in self.taken.items():
            given[name] = make(given[name])
        return given if self.order is None else tuple([given[name] for name in self.order])


_prepared: WeakKeyDictionary[Dialect, dict[Hashable, Prepared]] = WeakKeyDictionary()


def fetch(
    connection: Connection,
    key: Hashable,
    build: Callable[[], Select[Any]],
    values: Mapping[str, Any],
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return the columns and rows of a statement. `build` makes it, with `bindparam`s for `values`, once for each `key`.

    To build and compile a statement takes several times as long as to run it, so it is kept in the database's own words,
    and goes to the driver directly.
    """
    found = get_prepared(connection, key, build, values)
    rows = _execute(connection, found.text, found.arguments(values), fetch=True)
    for place, make in found.made:
        rows = [(*row[:place], make(row[place]), *row[place + 1 :]) for row in rows]
    return found.columns, rows


def fetch_first(
    connection: Connection,
    key: Hashable,
    build: Callable[[], Select[Any]],
    values: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Return the first row of a statement, kept as `fetch` keeps it, by the names of its columns; None where there is none."""
    names, rows = fetch(connection, key, build, values)
    return dict(zip(names, rows[0], strict=True)) if rows else None


def execute(
    connection: Connection,
    key: Hashable,
    build: Callable[[], WriteStatement],
    *rows: Mapping[str, Any],
) -> None:
    """Carry out a statement that writes, once for each row of values, kept as `fetch` keeps those that read.

    An insert takes its values by the names of its columns.
    """
    if rows:
        found = get_prepared(connection, key, build, rows[0])
        _execute(connection, found.text, *map(found.arguments, rows))


def insert_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert one row."""
    execute(connection, ("insert", table.name, *row), lambda: insert(table), row)


def update_rows(
    connection: Connection, table: Table, *changes: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> None:
    """Give the rows that have the values of a place these others; the changes name the same columns."""
    values = [{**_prefixed("at", place), **_prefixed("to", row)} for place, row in changes]

    def build() -> Update:
        place, row = changes[0]
        changed = update(table).values({name: bindparam(f"to_{name}") for name in row})
        return changed.where(*(table.c[name] == bindparam(f"at_{name}") for name in place))

    execute(connection, ("update", table.name, *(values[0] if values else ())), build, *values)


def delete_rows(connection: Connection, table: Table, *places: Mapping[str, Any]) -> None:
    """Delete the rows that have the values of a place; the places name the same columns."""
    values = [_prefixed("at", place) for place in places]

    def build() -> Delete:
        return delete(table).where(
            *(table.c[name] == bindparam(f"at_{name}") for name in places[0])
        )

    execute(connection, ("delete", table.name, *(values[0] if values else ())), build, *values)


def select_rows(
    connection: Connection, table: Table, column: str, values: Sequence[Any], **also: Any
) -> list[dict[str, Any]]:
    """Return the rows that have one of these values in a column, and those of `also` in others."""
    same = [table.c[name] == value for name, value in also.items()]
    if len(values) == 1:
        # One claim is what a change touches most often.
        where = {column: values[0], **also}

        def build() -> Select[Any]:
            return select(table).where(
                *(table.c[name] == bindparam(f"at_{name}") for name in where)
            )

        names, found = fetch(
            connection, ("rows", table.name, *where), build, _prefixed("at", where)
        )
        return [dict(zip(names, row, strict=True)) for row in found]
    result = connection.execute(select(table).where(table.c[column].in_(values), *same))
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result.all()]


def replace_rows(
    connection: Connection,
    table: Table,
    column: str,
    values: Sequence[Any],
    rows: Sequence[Mapping[str, Any]],
    **also: Any,
) -> None:
    """Let these be the rows that have one of these values in a column, and those of `also` in others; write what differs."""
    key = [each.name for each in table.primary_key]
    there = {
        tuple(row[name] for name in key): row
        for row in select_rows(connection, table, column, values, **also)
    }
    new: list[Mapping[str, Any]] = []
    # What differs in the same columns is sent together, since each statement may be a round trip.
    changes: dict[tuple[str, ...], list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for row in rows:
        place = {name: row[name] for name in key}
        old = there.pop(tuple(place.values()), None)
        if old is None:
            new.append(row)
        elif differs := {name: value for name, value in row.items() if value != old[name]}:
            changes.setdefault(tuple(differs), []).append((place, differs))
    for alike in changes.values():
        update_rows(connection, table, *alike)
    delete_rows(connection, table, *(dict(zip(key, place, strict=True)) for place in there))
    insert_rows(connection, table, new)


def _prefixed(what: str, values: Mapping[str, Any]) -> dict[str, Any]:
    # SQLAlchemy keeps the bare names of columns for itself.
    return {f"{what}_{name}": value for name, value in values.items()}


def _execute(
    connection: Connection, text: str, *given: Any, fetch: bool = False
) -> list[tuple[Any, ...]]:
    """Give a statement to the driver, once with each of these arguments; return its rows if they are to be fetched.

    An error of the driver is translated, also one that comes while rows are fetched: SQLite finds most of them then.
    """
    if not connection.in_transaction():
        connection.begin()
    driver: Any = connection.connection.driver_connection
    with TranslatedErrors(connection, text, given[0]):
        if len(given) > 1:
            driver.cursor().executemany(text, given)
            return []
        cursor = driver.execute(text, given[0])
        return list(cursor.fetchall()) if fetch else []


class TranslatedErrors:
    """Raises an error of the driver, wherever it comes from, as SQLAlchemy would."""

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
    """Return an error of the driver as SQLAlchemy's."""
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
    """Return the statement of a key in the database's own words; it is built where it is not kept yet."""
    known = _prepared.get(connection.dialect)
    if known is None:
        known = _prepared.setdefault(connection.dialect, {})
    found = known.get(key)
    if found is None:
        if len(known) >= MAX_PREPARED:
            known.clear()
        found = known[key] = _prepare(connection, build(), values)
    return found


def _prepare(
    connection: Connection, statement: Select[Any] | WriteStatement, values: Mapping[str, Any]
) -> Prepared:
    used = connection.dialect
    compiled: Any = statement.compile(
        dialect=used, column_keys=list(values) if isinstance(statement, Insert) else None
    )
    state = compiled.construct_expanded_state(values)
    taken = {
        name: make
        for name, each in compiled.binds.items()
        if name in state.parameters
        and (make := each.type.dialect_impl(used).bind_processor(used)) is not None
    }
    order = tuple(state.positiontup) if compiled.positional else None
    own = {name: value for name, value in state.parameters.items() if name not in values}
    if not isinstance(statement, Select):
        assert not isinstance(statement, Insert) or not own, (
            "a default that SQLAlchemy would compute is given, or left to the database"
        )
        return Prepared(state.statement, order, own, taken)
    made = [
        (place, make)
        for place, column in enumerate(statement.selected_columns)
        if (make := column.type.dialect_impl(used).result_processor(used, None)) is not None
    ]
    columns = tuple(str(column.key) for column in statement.selected_columns)
    return Prepared(state.statement, order, own, taken, columns, made)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows, which name the same columns, by the driver's fastest way."""
    if len(rows) < 2:
        for row in rows:
            insert_row(connection, table, row)
        return
    names = list(rows[0])
    texts = {name for name in names if isinstance(table.c[name].type, JSON)}
    values: Any = (
        [to_json(row[name]).decode() if name in texts else row[name] for name in names]
        for row in rows
    )
    quoted = connection.dialect.identifier_preparer.quote
    into = f"{quoted(table.name)} ({', '.join(map(quoted, names))})"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        statement = f"INSERT INTO {into} VALUES ({marks})"  # noqa: S608
        connection.exec_driver_sql(statement, [tuple(row) for row in values])
        return
    driver: Any = connection.connection.driver_connection
    statement = f"COPY {into} FROM STDIN"
    with (
        TranslatedErrors(connection, statement),
        driver.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in values:
            copy.write_row(row)


def prepare_for_bulk_write(connection: Connection) -> None:
    """Make room for a transaction that writes much: without it, SQLite writes each page out several times."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{BULK_CACHE_KB}")
