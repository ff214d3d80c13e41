"""The one place where SQLite and PostgreSQL differ. Past this file and the migrations, nobody knows which one it is."""

import random
import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import JSON, Connection, Engine, Table, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)

from models.base import ClaimbaseError

URL_FORMS = "sqlite:///path/to/file.db or postgresql://user:password@host/name"
POOL_SIZE = 5
BULK_CACHE_KB = 64 * 1024
# JSON columns hold text: without blanks and escapes, as `pydantic_core` writes it, several times as fast as the standard one.
JSON_TEXT: dict[str, Any] = {"json_serializer": lambda value: to_json(value).decode(), "json_deserializer": from_json}
# How long a writer waits for others, of this process and of others together. Less than a server takes to stop, which waits
# for its writers.
BUSY_SECONDS = 20


class BadDatabaseUrl(ClaimbaseError):
    """The address of the database cannot be used."""

    code = "bad_database_url"


class Busy(ClaimbaseError):
    """Other writers were busy for as long as a writer waits."""

    code = "unavailable"

    def __init__(self) -> None:
        super().__init__("Other writers are busy. Try again later.")


class Queue:
    """Writers of this process one after the other, in the order in which they came.

    SQLite lets whoever happens to ask at the right moment in, so that of many writers one may wait for ever. With one of
    each process at its door at a time, hardly anybody does; the others wait here, without a connection.
    """

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._lock = Lock()

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Wait for one's turn, and have it; give how many seconds of patience are left for writers of other processes."""
        until = time.monotonic() + BUSY_SECONDS
        mine = Event()
        with self._lock:
            self._waiting.append(mine)
            self._waiting[0].set()
        try:
            if not mine.wait(BUSY_SECONDS):
                raise Busy
            yield until - time.monotonic()
        finally:
            with self._lock:
                self._waiting.remove(mine)
                if self._waiting:
                    self._waiting[0].set()


@dataclass(frozen=True)
class Database:
    """Two ways into one database: `reader` cannot write, `writer` holds the write lock from its first statement."""

    reader: Engine
    writer: Engine
    queue: Queue = field(default_factory=Queue)

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
        with self._writing() as connection, connection.begin():
            yield connection

    @contextmanager
    def reshape(self) -> Iterator[Connection]:
        """Give a connection as `write` does, for migrations: SQLite changes a table by making it anew, which its foreign
        keys would forbid, so they rest meanwhile and are checked before the commit."""
        with self._writing() as connection:
            _enforce_keys(connection, on=False)
            try:
                with connection.begin():
                    yield connection
                    if broken := unenforced_keys(connection):
                        raise RuntimeError(f"the migration would leave rows that point nowhere: {broken}")
            finally:
                _enforce_keys(connection, on=True)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self.queue.turn() as patience, self.writer.connect() as connection:
            yield connection.execution_options(patience=max(1, round(patience * 1000)))

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
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_patience(connection)}")


def _patience(connection: Connection) -> int:
    """Return for how many milliseconds a writer waits for those of other processes."""
    left: int = connection.get_execution_options().get("patience", BUSY_SECONDS * 1000)
    return left


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
        if writes:
            _take_write_lock(connection)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _take_write_lock(connection: Connection) -> None:
    """Begin a transaction that writes, once no other process does.

    SQLite's own wait looks ten times a second in the end, which beside a busy process hardly ever is the right moment.
    """
    until = time.monotonic() + _patience(connection) / 1000
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            # The lowest byte is the error, the others say why.
            busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > until:
                raise
            time.sleep(random.uniform(0.001, 0.01))  # noqa: S311
        else:
            return


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
