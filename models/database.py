"""The one place where SQLite and PostgreSQL differ. Past this file and the migrations, nobody knows which one it is."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Integer,
    Join,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.ext.compiler import compiles

from models.asked import Phrase, Query, Term
from models.base import ClaimbaseError

URL_FORMS = "sqlite:///path/to/file.db or postgresql://user:password@host/name"
POOL_SIZE = 5
BULK_CACHE_KB = 64 * 1024
# JSON columns hold text: without blanks and escapes, as `pydantic_core` writes it, several times as fast as the standard one.
JSON_TEXT: dict[str, Any] = {"json_serializer": lambda value: to_json(value).decode(), "json_deserializer": from_json}
# How long a writer waits for another one. Less than a server takes to stop, which waits for its writers.
BUSY_SECONDS = 20


class BadDatabaseUrl(ClaimbaseError):
    """The address of the database cannot be used."""

    code = "bad_database_url"


@dataclass(frozen=True)
class Database:
    """Two ways into one database: `reader` cannot write, `writer` holds the write lock from its first statement."""

    reader: Engine
    writer: Engine

    @property
    def shown(self) -> str:
        """Return the address without its password."""
        return self.writer.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection in a read-only transaction."""
        with self.reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a transaction that is committed at the end, or rolled back where an error leaves it."""
        with self.writer.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def reshape(self) -> Iterator[Connection]:
        """Give a connection as `write` does, for migrations: SQLite changes a table by making it anew, which its foreign
        keys would forbid, so they rest meanwhile and are checked before the commit."""
        with self.writer.connect() as connection:
            _enforce_keys(connection, on=False)
            try:
                with connection.begin():
                    yield connection
                    if broken := unenforced_keys(connection):
                        raise RuntimeError(f"the migration would leave rows that point nowhere: {broken}")
            finally:
                _enforce_keys(connection, on=True)

    def close(self) -> None:
        self.reader.dispose()
        self.writer.dispose()


def _url(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        raise BadDatabaseUrl(f"'{address}' is not a database URL; write {URL_FORMS}.") from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise BadDatabaseUrl(f"Claimbase runs on SQLite and PostgreSQL, not on '{url.drivername}'.")
    if url.drivername.startswith("sqlite") and url.database in (None, "", ":memory:"):
        # Threads would share one connection and lose updates.
        raise BadDatabaseUrl("SQLite in memory cannot be shared by threads; give it a file: sqlite:///path/to/file.db.")
    return url


def file_url(path: Path) -> str:
    """Return the URL of a database in a file."""
    return f"sqlite:///{path}"


def connect(address: str) -> Database:
    """Return the database at a URL; nothing is opened yet. A SQLite file's folder is made where it is missing."""
    url = _url(address)
    try:
        if url.drivername.startswith("sqlite"):
            assert url.database is not None
            folder = Path(url.database).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise BadDatabaseUrl(
                    f"The folder {folder} cannot be made, so the database cannot be used: {error}."
                ) from None
            return Database(_sqlite(url, writes=False), _sqlite(url, writes=True))
        options = {"pool_size": POOL_SIZE, "pool_pre_ping": True, "connect_args": _REACHABLE, **JSON_TEXT}
        # One snapshot a request, as SQLite has it: an answer of several statements shows one state, and its tag fits it.
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        reader, writer = create_engine(url, **options).execution_options(**snapshot), create_engine(url, **options)
        event.listen(writer, "begin", _bound_wait)
        return Database(reader, writer)
    except (NoSuchModuleError, ModuleNotFoundError):
        raise BadDatabaseUrl("PostgreSQL needs its driver: pip install 'claimbase[postgres]'.") from None


# A server that does not answer at all is given up, when connecting and later.
_REACHABLE = {
    "connect_timeout": 5,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 40_000,
}


def _bound_wait(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")


def _sqlite(url: URL, *, writes: bool) -> Engine:
    waits = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(url, pool_size=POOL_SIZE, connect_args=waits, **JSON_TEXT)
    path = Path(str(url.database)).absolute()
    seen = False

    @event.listens_for(engine, "do_connect")
    def _open(_dialect: Any, _record: Any, positional: list[Any], named: dict[str, Any]) -> None:
        # A file that was there and is gone will come back; an empty one in its place would only be in the way.
        if seen:
            positional[0] = f"{path.as_uri()}?mode=rw"
            named["uri"] = True

    @event.listens_for(engine, "checkout")
    def _still_there(_connection: Any, record: Any, _proxy: Any) -> None:
        # A file that was moved or replaced is still open under its old name: what would be written there is lost.
        if record.info["file"] != _identity(path):
            raise DisconnectionError("the database's file is another one by now")

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        nonlocal seen
        seen = True
        record.info["file"] = _identity(path)
        # The driver's own transactions begin too late (at the first write), so ours are begun below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        if not writes:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _enforce_keys(connection: Connection, *, on: bool) -> None:
    if connection.dialect.name == "sqlite":
        # By the driver, since SQLite heeds it outside a transaction only, and any statement of ours begins one.
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA foreign_keys = {'ON' if on else 'OFF'}")


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


def insert_words(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of words (see `models.search`) and bring them into the index, which PostgreSQL does by itself."""
    if connection.dialect.name != "sqlite":
        insert_rows(connection, table, rows)
        return
    name = table.name
    last = connection.exec_driver_sql(f"SELECT max(number) FROM {name}").scalar() or 0  # noqa: S608
    insert_rows(connection, table, [{**row, "number": last + place} for place, row in enumerate(rows, start=1)])
    added = f"INSERT INTO {name}_index (rowid, title, words) SELECT number, title, words FROM {name} WHERE number > ?"  # noqa: S608
    connection.exec_driver_sql(added, (last,))


def delete_words(connection: Connection, table: Table, key: str, ids: Sequence[str]) -> None:
    """Delete the rows of words of these records, also from the index, which has to be told what they were."""
    if connection.dialect.name == "sqlite":
        name, marks = table.name, ", ".join("?" * len(ids))
        connection.exec_driver_sql(
            f"INSERT INTO {name}_index ({name}_index, rowid, title, words)"  # noqa: S608
            f" SELECT 'delete', number, title, words FROM {name} WHERE {key} IN ({marks})",
            tuple(ids),
        )
    connection.execute(delete(table).where(table.c[key].in_(ids)))


def clear_words(connection: Connection, table: Table) -> None:
    """Delete all rows of words and empty their index, whatever it holds."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"INSERT INTO {table.name}_index ({table.name}_index) VALUES ('delete-all')")  # noqa: S608
    connection.execute(delete(table))


def words_astray(connection: Connection, table: Table) -> bool:
    """Say whether the index holds other places than the rows of words have; PostgreSQL's cannot."""
    if connection.dialect.name != "sqlite":
        return False
    rows, places = f"SELECT number FROM {table.name}", f"SELECT id FROM {table.name}_index_docsize"  # noqa: S608
    either = f"SELECT * FROM ({rows} EXCEPT {places}) UNION ALL SELECT * FROM ({places} EXCEPT {rows}) LIMIT 1"  # noqa: S608
    return connection.exec_driver_sql(either).first() is not None


# A word in the title is worth ten others, as it is by default in PostgreSQL. The least number is the best.
_FOUND = {
    # Ranked once: without the hint SQLite may ask for the rank where the index is out of reach.
    "sqlite": "SELECT texts.{key} AS record, CAST(1000 * bm25({name}_index, 10.0, 1.0) AS INTEGER) AS score"
    " FROM {name}_index JOIN {name} AS texts ON texts.number = {name}_index.rowid WHERE {name}_index MATCH :asked",
    "postgresql": "SELECT {key} AS record, CAST(-1000000 * ts_rank(vector, CAST(:asked AS tsquery)) AS integer) AS score"
    " FROM {name} WHERE vector @@ CAST(:asked AS tsquery)",
}


class _InOrder(Join):
    """A join whose left side comes first on SQLite too, which knows neither how much a query finds nor a filter holds."""

    inherit_cache = True


@compiles(_InOrder)
def _join(join: _InOrder, compiler: Any, **options: Any) -> str:
    return str(compiler.visit_join(join, **options))


@compiles(_InOrder, "sqlite")
def _cross_join(join: _InOrder, compiler: Any, **options: Any) -> str:
    return _join(join, compiler, **options).replace(" JOIN ", " CROSS JOIN ", 1)


def among(found: FromClause, rows: FromClause, record: ColumnElement[Any]) -> FromClause:
    """Return rows with only those that were found, by the column that names their record; what was found is read first."""
    if isinstance(rows, Join):
        return Join(among(found, rows.left, record), rows.right, rows.onclause)
    return _InOrder(found, rows, found.c.record == record)


def found(connection: Connection, table: Table, key: str, query: Query) -> FromClause:
    """Return what a query finds among rows of words: columns `record` and `score`; the query is one bound value."""
    kind = connection.dialect.name
    written = text(_FOUND[kind].format(name=table.name, key=key))
    asked = _SPELLINGS[kind].query(query)
    chosen = written.bindparams(bindparam("asked", asked, type_=String)).columns(record=String, score=Integer)
    if kind == "sqlite":
        return chosen.cte("found").prefix_with("MATERIALIZED", dialect="sqlite")
    return chosen.subquery("found")


@dataclass(frozen=True)
class _Spelling:
    """How one index writes a query. Tokens are of [a-z0-9], so that quotes are all they need."""

    start: str
    between: str
    end: str
    both: str
    either: str
    without: str
    nothing: str

    def query(self, query: Query) -> str:
        branches = []
        for branch in query:
            written = f"({self.both.join(map(self.term, branch.wanted))})"
            if branch.unwanted:
                written = f"({written}{self.without}({self.either.join(map(self.term, branch.unwanted))}))"
            branches.append(written)
        return self.either.join(branches) or self.nothing

    def term(self, term: Term) -> str:
        return f"({self.either.join(f'({self.both.join(map(self.phrase, alternative))})' for alternative in term)})"

    def phrase(self, phrase: Phrase) -> str:
        return f"{self.start}{self.between.join(phrase)}{self.end}"


_SPELLINGS = {
    "sqlite": _Spelling('"', " ", '"', " AND ", " OR ", " NOT ", '""'),
    "postgresql": _Spelling("('", "' <-> '", "')", " & ", " | ", " & !", ""),
}


def prepare_for_many(connection: Connection) -> None:
    """Make room for a transaction that writes much: without it, SQLite writes each page out several times."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{BULK_CACHE_KB}")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


UNDEFINED_TABLE = "42P01"
DISK_FULL = "53100"
# The file itself, and the memory that connections share, which is a file, too.
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)


def storage_full(error: DBAPIError) -> bool:
    """Say whether a database error means that there is no room left to write."""
    states = getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorcode", None)
    return states[0] == DISK_FULL or states[1] in NO_ROOM


def unusable(error: DBAPIError) -> bool:
    """Say whether a database error means that the database is gone, busy or not migrated, not that a statement is wrong."""
    gone = isinstance(error, OperationalError | InterfaceError)
    return gone or getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE


def unenforced_keys(connection: Connection) -> list[str]:
    """Return rows whose foreign keys point nowhere; only SQLite can hold such (with its checks switched off)."""
    if connection.dialect.name != "sqlite":
        return []
    return [str(tuple(row)) for row in connection.execute(text("PRAGMA foreign_key_check"))]
