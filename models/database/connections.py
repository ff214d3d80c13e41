"""The one room where SQLite and PostgreSQL differ. Past it and the migrations, nobody knows which one it is.

This file has the connections; `faults.py` what their errors mean; `queue.py` the order of writers; `rows.py` what is read
and written past SQLAlchemy.
"""

import os
import random
import sqlite3
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    NoSuchModuleError,
)

from models.core.errors import ClaimbaseError
from models.database.prepared_statements import TranslatedErrors, translate_error
from models.database.writer_queue import WriterQueue

URL_FORMS = "sqlite:///path/to/file.db or postgresql://user:password@host/name"
POOL_SIZE = 5
# JSON columns hold text: without blanks and escapes, as `pydantic_core` writes it, several times as fast as the standard one.
JSON_TEXT: dict[str, Any] = {
    "json_serializer": lambda value: to_json(value).decode(),
    "json_deserializer": from_json,
}
# How long a writer waits for others, of this process and of others together. Less than a server takes to stop, which waits
# for its writers.
BUSY_SECONDS = 20
# After so many steps of a statement it is asked whether it may go on.
STEPS_PER_CHECK = 1000
# As much of a file is read as memory by the one connection that the event loop waits for: a page of claims lies on dozens of
# pages of the file, and to copy each of them by a call takes as long as all the rest of the statement.
MAPPED_BYTES = 2**31 - 2**16
# Of a new file. A claim's document takes seven to ten thousand bytes, which are one or two pages; where they are half as large
# it takes three, and a page of claims a quarter longer to read.
PAGE_BYTES = 8192


class BadDatabaseUrl(ClaimbaseError):
    """The address of the database cannot be used."""

    code = "bad_database_url"


@dataclass
class ReadLimit:
    """How far a connection's reading may go: until a moment of the monotonic clock, and so many thousand steps."""

    until: float = float("inf")
    steps: float = float("inf")

    def ends(self) -> bool:
        """Say whether it is used up; asked every thousand steps of a statement."""
        self.steps -= 1
        return self.steps < 0 or time.monotonic() > self.until


@dataclass
class Database:
    """Ways into one database: `reader` cannot write, `writer` holds the write lock from its first statement.

    `inline` reads, too, for work so short that it may be done where nothing may wait; None where a read is a round trip.
    A statement of a reader that takes longer than `read_seconds` is cut off (see `is_timeout`).
    """

    reader: Engine
    writer: Engine
    inline: Engine | None = None
    read_seconds: float | None = None
    # How often something was committed by way of this object.
    commits: int = 0
    # The connection of `inline`, which file it has open, and how many were opened so far.
    _watching: Connection | None = None
    _file: tuple[int, int] | None = None
    _opened: int = 0
    queue: WriterQueue = field(default_factory=WriterQueue)

    @property
    def display_url(self) -> str:
        """Return the address without its password."""
        return self.writer.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self, *, unlimited: bool = False) -> Iterator[Connection]:
        """Give a connection in a read-only transaction; an `unlimited` one has no time limit."""
        with self.reader.connect() as connection, connection.begin():
            _let_go(connection, None if unlimited else self.read_seconds)
            yield connection

    @contextmanager
    def read_inline(self, thousand_steps: int) -> Iterator[Connection]:
        """Give a connection that can only read, for one at a time; it is cut off after so many thousand steps."""
        connection = self._watched()
        if connection is None:
            with self.read() as usual:  # The file is not there, which is told soon.
                yield usual
            return
        leash: ReadLimit = connection.info["leash"]
        leash.steps = thousand_steps
        # SQLAlchemy has it in a transaction all the time; those of SQLite are ours, at a tenth of the price.
        driver: Any = connection.connection.driver_connection
        with TranslatedErrors(connection, "BEGIN"):
            driver.execute("BEGIN")
        try:
            yield connection
        finally:
            if not connection.invalidated:
                with TranslatedErrors(connection, "COMMIT"):
                    driver.commit()

    @contextmanager
    def write(self, *, bulk: bool = False) -> Iterator[Connection]:
        """Give a connection in a transaction that is committed at the end, or rolled back where an error leaves it.

        A `bulk` one fills an empty database goes straight into SQLite's file, where nobody else has it open: its log would hold
        everything a second time, and takes the longer to find a page in the more it holds. Who comes meanwhile is told that
        it is locked.
        """
        if bulk:
            self.reader.dispose()  # What it has open, but nobody uses.
        with (
            self._writing() as connection,
            _past_the_log(connection) if bulk else nullcontext(),
            connection.begin(),
        ):
            yield connection
        self.commits += 1

    def change_token(self) -> Hashable:
        """Return what is another thing after every commit, whoever made it; None where only a statement would tell."""
        try:
            connection = self._watched()
            if connection is None:
                return None
            driver: Any = connection.connection.driver_connection
            version = driver.execute("PRAGMA data_version").fetchone()[0]
        except (DBAPIError, sqlite3.Error):
            return None  # The statement will tell what is wrong.
        return self._file, self._opened, version

    def _watched(self) -> Connection | None:
        """Return the connection of `inline`, opened anew where the file is another one by now; None where there is none."""
        if self.inline is None:
            return None
        file = _identity(str(self.inline.url.database))
        if file != self._file or (self._watching is not None and self._watching.invalidated):
            self._unwatch()
            if file is None:
                return None
            self._watching, self._file = self.inline.connect(), file
            self._watching.begin()
            self._opened += 1
        return self._watching

    def _unwatch(self) -> None:
        if self._watching is not None:
            self._watching.close()
            assert self.inline is not None
            self.inline.dispose()
        self._watching = self._file = None

    @contextmanager
    def write_schema(self) -> Iterator[Connection]:
        """Give a connection as `write` does, for migrations: SQLite changes a table by making it anew, which its foreign
        keys would forbid, so they rest meanwhile and are checked before the commit."""
        with self._writing() as connection:
            _enforce_keys(connection, on=False)
            try:
                with connection.begin():
                    yield connection
                    if broken := unenforced_keys(connection):
                        raise RuntimeError(
                            f"the migration would leave rows that point nowhere: {broken}"
                        )
            finally:
                _enforce_keys(connection, on=True)
        self.commits += 1

    def purge_log(self) -> bool:
        """Take what was deleted out of SQLite's write-ahead log, too, where nobody is reading; say whether it is out.

        Of the file itself it is out already (`secure_delete`). PostgreSQL has its own ways; see docs/operations.md.
        """
        with self.writer.connect() as connection:
            return _empty_log(connection)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self.queue.turn(BUSY_SECONDS) as patience, self.writer.connect() as connection:
            connection.info["patience"] = max(1, round(patience * 1000))
            yield connection

    def close(self) -> None:
        """Close what is open."""
        self._unwatch()
        for engine in (self.reader, self.writer, self.inline):
            if engine is not None:
                engine.dispose()


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
        raise BadDatabaseUrl(
            "SQLite in memory cannot be shared by threads; give it a file: sqlite:///path/to/file.db."
        )
    return url


def file_url(path: Path) -> str:
    """Return the URL of a database in a file."""
    return f"sqlite:///{path}"


def connect(address: str, read_seconds: float | None = None) -> Database:
    """Return the database at a URL; nothing is opened yet. A SQLite file's folder is made where it is missing.

    A statement that only reads is cut off after `read_seconds`, where they are given.
    """
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
            met = Event()
            reader, writer = _sqlite(url, met, writes=False), _sqlite(url, met, writes=True)
            # Of its own, so that it never waits for one that is lent to slow work.
            inline = _sqlite(url, met, writes=False, inline=True)
            return Database(reader, writer, inline, read_seconds)
        options = {
            "pool_size": POOL_SIZE,
            "pool_pre_ping": True,
            "connect_args": _KEEPALIVE,
            **JSON_TEXT,
        }
        # One snapshot a request, as SQLite has it: an answer of several statements shows one state, and its tag fits it.
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        writer = create_engine(url, **options)
        if read_seconds is not None:
            options["connect_args"] = {
                **_KEEPALIVE,
                "options": f"-c statement_timeout={round(read_seconds * 1000)}",
            }
        reader = create_engine(url, **options).execution_options(**snapshot)
        event.listen(writer, "begin", _bound_wait)
        return Database(reader, writer, None, read_seconds)
    except (NoSuchModuleError, ModuleNotFoundError):
        raise BadDatabaseUrl(
            "PostgreSQL needs its driver: pip install 'claimbase[postgres]'."
        ) from None


# A server that does not answer at all is given up, when connecting and later.
_KEEPALIVE = {
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
    left: int = connection.info.get("patience", BUSY_SECONDS * 1000)
    return left


def _sqlite(url: URL, met: Event, *, writes: bool, inline: bool = False) -> Engine:
    """Return one way into a file; `met` is set once any of them has had it open."""
    waits = {"timeout": 0.01 if inline else BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(
        url, pool_size=POOL_SIZE, pool_use_lifo=True, connect_args=waits, **JSON_TEXT
    )
    path = Path(str(url.database)).absolute()
    file = str(path)

    @event.listens_for(engine, "do_connect")
    def _open(_dialect: Any, _record: Any, positional: list[Any], named: dict[str, Any]) -> None:
        # A file that was there and is gone will come back; an empty one in its place would only be in the way.
        if met.is_set():
            positional[0] = f"{path.as_uri()}?mode=rw"
            named["uri"] = True

    @event.listens_for(engine, "checkout")
    def _still_there(_connection: Any, record: Any, _proxy: Any) -> None:
        # A file that was moved or replaced is still open under its old name: what would be written there is lost.
        if record.info["file"] != _identity(file):
            raise DisconnectionError("the database's file is another one by now")

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        met.set()
        record.info["inline"] = inline
        if not writes:
            record.info["leash"] = leash = ReadLimit()
            connection.set_progress_handler(leash.ends, STEPS_PER_CHECK)
        record.info["file"] = _identity(file)
        # The driver's own transactions begin too late (at the first write), so ours are begun below, or by `read_inline`.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(
            f"PRAGMA page_size = {PAGE_BYTES}"
        )  # First, since the next one begins the file.
        # What is deleted is written over, so that what was purged is in no free page.
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        if not writes:
            cursor.execute("PRAGMA query_only = ON")
            cursor.execute(f"PRAGMA mmap_size = {MAPPED_BYTES if inline else 0}")
        else:
            _wait_here(connection)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if writes:
            _take_write_lock(connection)
        elif not inline:
            # It waits for nothing and cannot fail, so it goes the short way.
            with TranslatedErrors(connection, "BEGIN"):
                connection.connection.driver_connection.execute("BEGIN")  # type: ignore[union-attr]

    return engine


def _take_write_lock(connection: Connection) -> None:
    """Begin a transaction that writes, once no other process does.

    SQLite's own wait looks ten times a second in the end, which beside a busy process hardly ever is the right moment.
    """
    driver: Any = connection.connection.driver_connection
    until = time.monotonic() + _patience(connection) / 1000
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            # The lowest byte is the error, the others say why.
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > until:
                raise translate_error(connection, error, "BEGIN IMMEDIATE") from error
            time.sleep(random.uniform(0.001, 0.01))  # noqa: S311
        else:
            return


def _wait_here(driver: Any) -> None:
    """Let a connection that writes not wait inside SQLite; see `_take_write_lock`."""
    driver.execute("PRAGMA busy_timeout = 0")


def _let_go(connection: Connection, seconds: float | None) -> None:
    """Let the statements of a reader's transaction run for so long, or without an end."""
    if leash := connection.info.get("leash"):
        # Who may take as long as it takes need not be asked, either: each time it would wait for its turn in Python.
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(None if seconds is None else leash.ends, STEPS_PER_CHECK)
        leash.until, leash.steps = (
            float("inf") if seconds is None else time.monotonic() + seconds,
            float("inf"),
        )
    elif seconds is None:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def _enforce_keys(connection: Connection, *, on: bool) -> None:
    if connection.dialect.name == "sqlite":
        # By the driver, since SQLite heeds it outside a transaction only, and any statement of ours begins one.
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA foreign_keys = {'ON' if on else 'OFF'}")


@contextmanager
def _past_the_log(connection: Connection) -> Iterator[None]:
    """Let SQLite write straight into its file meanwhile, and to its log, as ever, afterwards."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    # It refuses where somebody else has the file open. Then all goes on as it was, and the next one who opens it sets it.
    with suppress(sqlite3.OperationalError):
        driver.execute("PRAGMA journal_mode = TRUNCATE")
    try:
        yield
    finally:
        with suppress(sqlite3.OperationalError):
            driver.execute("PRAGMA journal_mode = WAL")


def _empty_log(connection: Connection) -> bool:
    if connection.dialect.name != "sqlite":
        return True
    # By the driver, outside a transaction. It holds up writers while it waits for readers, so it waits but a moment.
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout = 1000")
    try:
        busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError:
        return (
            False  # Such as a full disk: what was committed stays committed, and the log with it.
        )
    finally:
        _wait_here(driver)
    return not busy


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - asked before each read, and a Path takes longer than the answer
    except OSError:
        return None
    return found.st_dev, found.st_ino


def unenforced_keys(connection: Connection) -> list[str]:
    """Return rows whose foreign keys point nowhere; only SQLite can hold such (with its checks switched off)."""
    if connection.dialect.name != "sqlite":
        return []
    return [str(tuple(row)) for row in connection.execute(text("PRAGMA foreign_key_check"))]
