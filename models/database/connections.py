"""Connections to SQLite and PostgreSQL.

Only this folder and the migrations know which of the two databases is in use.
"""

import os
import random
import sqlite3
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InvalidatePoolError,
    NoSuchModuleError,
)
from sqlalchemy.pool import NullPool, QueuePool

from models.core.errors import ClaimbaseError
from models.database import several_hosts
from models.database.damage import DamageRecord
from models.database.driver_errors import is_lost, is_read_only, is_recovery_conflict
from models.database.hung_connections import HangWatch
from models.database.prepared_statements import TranslatedErrors, translate_error
from models.database.replicas import Replicas, Server
from models.database.several_hosts import (
    DEFAULT_PORT,
    SEVERAL,
    Host,
    url_of_host,
    url_of_primary,
)
from models.database.several_hosts import BadDatabaseUrl as BadDatabaseUrl
from models.database.sharding import WRITER_SETTINGS, Sharding
from models.database.writer_queue import WriterQueue

READ_ONLY = (
    "The database takes no writes here now: it is a standby, or its new primary is not elected yet."
    " Reading goes on."
)
URL_FORMS = "sqlite:///path/to/file.db or postgresql://user:password@host/name"
HOSTS_FORM = "postgresql://user:password@host1:5432,host2:5432/name"
POOL_SIZE = 5
# Of a server some connections are for short reads alone, so that long ones never hold them all. A
# statement there is cut off after these milliseconds, and begins anew among the long ones.
SHORT_POOL_SIZE = 3
SHORT_MILLISECONDS = 100
# How much longer than its statement may take a read waits for an answer of the server, and how long
# for the answer to a ping.
GRACE_SECONDS = 2
PING_SECONDS = 2
# JSON columns hold compact text as `pydantic_core` writes it, several times as fast as the
# standard library.
JSON_TEXT: dict[str, Any] = {
    "json_serializer": lambda value: to_json(value).decode(),
    "json_deserializer": from_json,
}
# How long a writer waits for all other writers, of this process and of others. It is less than
# the time that a server takes to stop, because a stopping server waits for its writers.
BUSY_SECONDS = 20
# SQLite asks after this many steps of a statement whether it may go on.
STEPS_PER_CHECK = 1000
# The event loop's own connection maps this much of the file into memory. A page of claims lies on
# dozens of pages of the file, and copying each by a system call takes as long as the rest of the
# statement.
MAPPED_BYTES = 2**31 - 2**16
# Page size of a new file. A claim's document has 7 to 10 kB, which is one or two pages. With
# pages half as large it is three, and reading a page of claims takes a quarter longer.
PAGE_BYTES = 8192
# A writer does not wait inside SQLite; see `_take_write_lock`.
NO_BUSY_TIMEOUT = "busy_timeout = 0"


class ReadOnly(ClaimbaseError):
    """The database takes no writes: it is a standby."""

    code = "read_only"

    def __init__(self) -> None:
        super().__init__(READ_ONLY)


@dataclass
class ReadLimit:
    """The limits of a read: a deadline of the monotonic clock, and thousands of steps."""

    deadline: float = float("inf")
    steps: float = float("inf")

    def is_exceeded(self) -> bool:
        """Count a thousand steps and return whether a limit is exceeded."""
        self.steps -= 1
        return self.steps < 0 or time.monotonic() > self.deadline


@dataclass
class Database:
    """The engines of one database.

    `reader` cannot write, and `writer` holds the write lock from its first statement. `inline`
    reads in the event loop, for work so short that waiting threads are not worthwhile; it is None
    for a database whose reads are round trips, which has a `short_reader` instead. A reader's
    statement is cancelled after `read_seconds` (see `is_timeout`).
    """

    reader: Engine
    writer: Engine
    # Opens a connection each time, so that it does not wait for those that others hold.
    prober: Engine
    inline: Engine | None = None
    short_reader: Engine | None = None
    read_seconds: float | None = None
    # Of several servers, which of them is read from.
    replicas: Replicas | None = None
    # The number of commits by this object.
    commits: int = 0
    # The connection of `inline`, the identity of its file, and how many connections were opened.
    _watching: Connection | None = None
    _file: tuple[int, int] | None = None
    _opened: int = 0
    queue: WriterQueue = field(default_factory=WriterQueue)
    hang_watch: HangWatch = field(default_factory=HangWatch)
    sharding: Sharding = field(default_factory=Sharding)
    damage: DamageRecord = field(init=False)

    def __post_init__(self) -> None:
        self.damage = DamageRecord(self.prober)

    @property
    def display_url(self) -> str:
        """The URL of the database without its password."""
        return self.writer.url.render_as_string(hide_password=True)

    @property
    def is_distributed(self) -> bool:
        """Whether its tables are spread over several servers, as its first connection found."""
        return self.sharding.is_on is True

    def reading_order(self, *, newest: bool = False) -> Sequence[Server | None]:
        """Return the servers to read from, the best one first; None is the only one there is.

        With `newest` that is the primary; else the nearest replica that is not behind.
        """
        return (None,) if self.replicas is None else self.replicas.order(newest=newest)

    @contextmanager
    def read(
        self, server: Server | None = None, *, unlimited: bool = False
    ) -> Iterator[Connection]:
        """Yield a connection in a read-only transaction, with no time limit if `unlimited`.

        It leads to the server, by default to the primary, or to a replica while that one does not
        answer.
        """
        seconds = None if unlimited else self.read_seconds
        with self._connected(server, self._reader_of, seconds) as connection:
            _limit_duration(connection, seconds)
            yield connection

    def _reader_of(self, server: Server | None) -> Engine:
        return self.reader if server is None else server.reader

    def _short_reader_of(self, server: Server | None) -> Engine:
        engine = self.short_reader if server is None else server.short_reader
        assert engine is not None
        return engine

    @contextmanager
    def read_shortly(self, server: Server | None = None) -> Iterator[Connection]:
        """Yield a connection like `read`, whose statements are cancelled soon."""
        seconds = SHORT_MILLISECONDS / 1000
        with self._connected(server, self._short_reader_of, seconds) as connection:
            yield connection

    @contextmanager
    def look_up(self, server: Server | None = None) -> Iterator[Connection]:
        """Yield a connection like `read_shortly` for one statement, which needs no transaction:
        to begin and end one takes longer than the statement.
        """
        seconds = SHORT_MILLISECONDS / 1000
        with self._connected(server, self._short_reader_of, seconds, "AUTOCOMMIT") as connection:
            yield connection

    @contextmanager
    def _connected(
        self,
        server: Server | None,
        engine_of: Callable[[Server | None], Engine],
        seconds: float | None,
        isolation: IsolationLevel | None = None,
    ) -> Iterator[Connection]:
        """Yield a connection to the server, or to the first that answers if none is named."""
        servers = self.reading_order(newest=True) if server is None else (server,)
        with ExitStack() as stack:
            for each in servers:
                try:
                    connection = stack.enter_context(
                        self._reading(engine_of(each), seconds, isolation)
                    )
                except DBAPIError as error:
                    if not self.is_lost(each, error) or each is servers[-1]:
                        raise
                else:
                    break
            yield connection

    def is_lost(self, server: Server | None, error: DBAPIError) -> bool:
        """Return whether an error means that another server should be asked.

        One that does not answer is left alone until it does again.
        """
        if server is None or self.replicas is None:
            return False
        if is_lost(error):
            self.replicas.note_lost(server, error)
            return True
        return is_recovery_conflict(error)

    def note_serial(self, server: Server | None, serial: int) -> None:
        """Remember which serial a server showed."""
        if server is not None and self.replicas is not None:
            self.replicas.note_serial(server, serial)

    @contextmanager
    def _reading(
        self, engine: Engine, seconds: float | None, isolation: IsolationLevel | None = None
    ) -> Iterator[Connection]:
        with (
            self.damage.noted(),
            engine.connect() as connection,
            self._answering(connection, seconds),
        ):
            if isolation is not None:
                connection.execution_options(isolation_level=isolation)
            with connection.begin():
                yield connection

    def _answering(
        self, connection: Connection, seconds: float | None
    ) -> AbstractContextManager[object]:
        """Return a context in which the server must answer within a time limit, or just answer."""
        if connection.dialect.name == "sqlite":
            return nullcontext()
        limit = float("inf") if seconds is None else seconds + GRACE_SECONDS
        return self.hang_watch.limited(connection.connection.driver_connection, limit)

    @contextmanager
    def probe(self) -> Iterator[Connection]:
        """Yield a connection of its own that only reads, to find out whether the database answers.

        It does not wait for a connection of the pool.
        """
        with self._connected(None, self._prober_of, self.read_seconds) as connection:
            yield connection

    def _prober_of(self, server: Server | None) -> Engine:
        return self.prober if server is None else server.prober

    @contextmanager
    def read_inline(self, thousand_steps: int) -> Iterator[Connection]:
        """Yield the connection of the event loop, limited to so many thousand steps of SQLite.

        It cannot write, and only one caller may use it at a time.
        """
        connection = self._watched()
        if connection is None:
            with self.read() as usual:  # The file is missing, and this reports it.
                yield usual
            return
        limit: ReadLimit = connection.info["read_limit"]
        limit.steps = thousand_steps
        # SQLAlchemy keeps it in one transaction throughout. Beginning and committing SQLite's own
        # transactions directly costs a tenth.
        driver: Any = connection.connection.driver_connection
        with TranslatedErrors(connection, "BEGIN"):
            driver.execute("BEGIN")
        try:
            yield connection
        except DBAPIError as error:
            self.damage.note(error)
            raise
        finally:
            if not connection.invalidated:
                with TranslatedErrors(connection, "COMMIT"):
                    driver.commit()

    @contextmanager
    def write(self, *, bulk: bool = False) -> Iterator[Connection]:
        """Yield a connection in a transaction, which an exception rolls back.

        Set `bulk` to fill an empty database: if nobody else has SQLite's file open, the changes go
        straight into it. The write-ahead log would hold everything twice, and reading a page from a
        large log is slow. Connections that are opened meanwhile fail because the file is locked.
        """
        if bulk:
            self.reader.dispose()  # Its idle connections have the file open.
        with (
            self._writing() as connection,
            _without_log(connection) if bulk else nullcontext(),
            connection.begin(),
        ):
            yield connection
        self.commits += 1

    def change_token(self) -> Hashable:
        """Return a value that differs after every commit of any process.

        Returns None if only a statement could find out.
        """
        try:
            connection = self._watched()
            if connection is None:
                return None
            driver: Any = connection.connection.driver_connection
            version = driver.execute("PRAGMA data_version").fetchone()[0]
        except (DBAPIError, sqlite3.Error):
            return None  # The next statement raises the same error.
        return self._file, self._opened, version

    def _watched(self) -> Connection | None:
        """Return the connection of `inline`, or None if there is no such file.

        It is opened again if the file was replaced.
        """
        if self.inline is None:
            return None
        file = _identity(str(self.inline.url.database))
        if file != self._file or (self._watching is not None and self._watching.invalidated):
            self._unwatch()
            if file is None:
                return None
            with self.damage.noted():
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
        """Yield a connection like `write`, for migrations.

        SQLite changes a table by creating it again, which foreign keys would forbid. They are off
        meanwhile, and checked before the commit.
        """
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
        """Remove deleted data from SQLite's write-ahead log, and return whether that succeeded.

        It fails while anybody reads. The file itself holds none (`secure_delete`). PostgreSQL has
        its own ways; see docs/operations.md.
        """
        with self.writer.connect() as connection:
            return _empty_log(connection)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        self.damage.refuse()
        with (
            self.damage.noted(),
            self.queue.turn(BUSY_SECONDS) as patience,
            self.writer.connect() as connection,
            self._answering(connection, None),
        ):
            connection.info["patience"] = max(1, round(patience * 1000))
            try:
                yield connection
            except DBAPIError as error:
                if is_read_only(error):
                    # It was the primary's when it was opened, so the next one may lead there.
                    connection.invalidate()
                    raise ReadOnly from error
                raise

    def connections_in_use(self) -> dict[str, int]:
        """Return how many connections are in use, by the name of their pool."""
        servers = self.replicas.servers[1:] if self.replicas else ()
        engines: dict[str, list[Engine | None]] = {
            "reader": [self.reader, *(server.reader for server in servers)],
            "short_reader": [self.short_reader, *(server.short_reader for server in servers)],
            "writer": [self.writer],
        }
        pools = {
            name: [each.pool for each in named if each and isinstance(each.pool, QueuePool)]
            for name, named in engines.items()
        }
        return {
            name: sum(pool.checkedout() for pool in named) for name, named in pools.items() if named
        }

    def close(self) -> None:
        """Close what is open."""
        self._unwatch()
        self.hang_watch.close()
        if self.replicas is not None:
            self.replicas.close()
        for engine in (self.reader, self.writer, self.inline, self.short_reader):
            if engine is not None:
                engine.dispose()


def _url(address: str) -> tuple[URL, list[Host]]:
    """Return the URL of a database, and its hosts if there are several."""
    try:
        url, hosts = several_hosts.parse(address)
    except (ArgumentError, ValueError):
        raise BadDatabaseUrl(f"'{address}' is not a database URL; write {URL_FORMS}.") from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise BadDatabaseUrl(f"Claimbase runs on SQLite and PostgreSQL, not on '{url.drivername}'.")
    if url.drivername.startswith("sqlite") and url.database in (None, "", ":memory:"):
        # Threads would share one connection and lose updates.
        raise BadDatabaseUrl(
            "SQLite in memory cannot be shared by threads; give it a file:"
            " sqlite:///path/to/file.db."
        )
    return url, hosts


def file_url(path: Path) -> str:
    """Return the URL of a database in a file."""
    return f"sqlite:///{path}"


def connect(
    address: str, read_seconds: float | None = None, read_address: str | None = None
) -> Database:
    """Return the database at a URL without opening it.

    A missing folder of a SQLite file is created. Read-only statements are cancelled after
    `read_seconds`. Reads go to the hosts of `read_address`, which are replicas of that database.
    Raises BadDatabaseUrl.
    """
    url, hosts = _url(address)
    try:
        if url.drivername.startswith("sqlite"):
            if read_address:
                raise BadDatabaseUrl(
                    "CLAIMBASE_READ_DATABASE_URL names replicas of a PostgreSQL, and"
                    " CLAIMBASE_DATABASE_URL is a SQLite file, which has none."
                )
            return _sqlite_database(url, read_seconds)
        return _postgresql_database(url, hosts, read_seconds, read_address)
    except (NoSuchModuleError, ModuleNotFoundError):
        raise BadDatabaseUrl(
            "PostgreSQL needs its driver: pip install 'claimbase[postgres]'."
        ) from None


def _sqlite_database(url: URL, read_seconds: float | None) -> Database:
    assert url.database is not None
    folder = Path(url.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadDatabaseUrl(
            f"The folder {folder} cannot be made, so the database cannot be used: {error}."
        ) from None
    opened = Event()
    reader = _sqlite(url, opened, writes=False)
    writer = _sqlite(url, opened, writes=True)
    prober = _sqlite(url, opened, writes=False, pool=_NO_POOL)
    # It has a pool of its own, so that it never waits for a connection that slow work holds.
    inline = _sqlite(url, opened, writes=False, inline=True)
    return Database(reader, writer, prober, inline, read_seconds=read_seconds)


def _postgresql_database(
    url: URL, hosts: Sequence[Host], read_seconds: float | None, read_address: str | None
) -> Database:
    """Return the database on a server, or on several, which are read from while they answer."""
    replicas = _replica_urls(url, hosts, read_address)
    if hosts:
        url = url_of_primary(url, hosts)
    connecting = {**_KEEPALIVE, **(_PROMPT if replicas else {})}
    writer = create_engine(url, connect_args=connecting, pool_size=POOL_SIZE, **JSON_TEXT)
    main = _server("primary", url, read_seconds, connecting)
    database = Database(
        main.reader,
        writer,
        main.prober,
        short_reader=main.short_reader,
        read_seconds=read_seconds,
    )
    servers = [main]
    if replicas:
        main.is_main = True
        servers += [_server(name, each, read_seconds, connecting) for name, each in replicas]
        database.replicas = Replicas(servers, database.hang_watch, main_first=not read_address)
    readers = [each for server in servers for each in (server.reader, server.short_reader)]
    for engine in readers:
        _listen_for_lost_server(engine, database.hang_watch)
    _listen_for_lost_server(writer, database.hang_watch, writes=True)
    probers = (server.prober for server in servers)
    database.sharding.listen(writer, *readers, *probers)
    _listen_for_writers(writer, database)
    return database


def _listen_for_writers(writer: Engine, database: Database) -> None:
    """Begin each transaction of a writer with what it sets."""

    @event.listens_for(writer, "begin")
    def _begin(connection: Connection) -> None:
        for statement in WRITER_SETTINGS if database.is_distributed else ():
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_patience(connection)}")


def _replica_urls(
    url: URL, hosts: Sequence[Host], read_address: str | None
) -> list[tuple[str, URL]]:
    """Return the name and the URL of each server that is read from beside the primary.

    Without a `read_address` they are the hosts of the database itself.
    """
    if read_address:
        url, hosts = _url(read_address)
        if not url.drivername.startswith("postgresql"):
            raise BadDatabaseUrl(
                "CLAIMBASE_READ_DATABASE_URL names replicas of a PostgreSQL, not a SQLite file."
            )
        if SEVERAL in url.query:
            raise BadDatabaseUrl(
                f"CLAIMBASE_READ_DATABASE_URL takes no {SEVERAL}, since each of its hosts is read"
                " from."
            )
        if not hosts:
            return [(f"{url.host or 'socket'}:{url.port or DEFAULT_PORT}", url)]
    return [(str(host), url_of_host(url, host)) for host in hosts]


def _server(
    name: str, url: URL, read_seconds: float | None, connecting: Mapping[str, Any]
) -> Server:
    """Return what reads from a server."""
    return Server(
        name,
        _postgresql_reader(url, POOL_SIZE, read_seconds, connecting),
        _postgresql_reader(url, SHORT_POOL_SIZE, SHORT_MILLISECONDS / 1000, connecting),
        create_engine(url, connect_args=dict(connecting), **_NO_POOL).execution_options(
            postgresql_readonly=True
        ),
    )


def _listen_for_lost_server(engine: Engine, hang_watch: HangWatch, *, writes: bool = False) -> None:
    """Replace connections that are lost; SQLAlchemy's own ping waits for ever if a server hangs.

    One that writes is replaced, too, if its server is a standby by now, and refused with `ReadOnly`
    if a new one also leads to a standby.
    """

    @event.listens_for(engine, "connect")
    def _note(_driver: Any, record: Any) -> None:
        record.info["new"] = True

    @event.listens_for(engine, "checkout")
    def _ping(driver: Any, record: Any, _proxy: Any) -> None:
        is_new = record.info.pop("new", False)
        try:
            with hang_watch.limited(driver, PING_SECONDS) as watched:
                if writes:
                    _refuse_standby(driver, is_new=is_new)
                else:
                    engine.dialect.do_ping(driver)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("the connection to the server is lost") from error
        if watched.broken_off:
            raise InvalidatePoolError("the server answered too late")


def _refuse_standby(driver: Any, *, is_new: bool) -> None:
    """Raise ReadOnly if a connection leads to a standby, InvalidatePoolError if it is not new."""
    if _is_standby(driver):
        if is_new:
            raise ReadOnly
        raise InvalidatePoolError("the server is a standby by now")


def _is_standby(driver: Any) -> bool:
    """Return whether a connection of the driver leads to a standby, and leave it as it was."""
    before, driver.autocommit = driver.autocommit, True
    try:
        return bool(driver.execute("SELECT pg_is_in_recovery()").fetchone()[0])
    finally:
        if not driver.closed:
            driver.autocommit = before


def _postgresql_reader(
    url: URL, pool_size: int, seconds: float | None, connecting: Mapping[str, Any]
) -> Engine:
    connect_args: dict[str, Any] = dict(connecting)
    if seconds is not None:
        connect_args["options"] = f"-c statement_timeout={round(seconds * 1000)}"
    # One snapshot per request, as in SQLite: an answer of several statements shows one state,
    # and its ETag fits it.
    return create_engine(
        url, connect_args=connect_args, pool_size=pool_size, **JSON_TEXT
    ).execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


# Where other servers can be asked, none is waited for long.
_PROMPT = {"connect_timeout": 2, "tcp_user_timeout": 5_000}
# A connection to a server that does not answer is closed, while connecting and later.
_KEEPALIVE = {
    "connect_timeout": 5,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 40_000,
}


def _patience(connection: Connection) -> int:
    """Return how many milliseconds a writer waits for writers of other processes."""
    milliseconds: int = connection.info.get("patience", BUSY_SECONDS * 1000)
    return milliseconds


_NO_POOL: dict[str, Any] = {"poolclass": NullPool}
_POOL: dict[str, Any] = {"pool_size": POOL_SIZE, "pool_use_lifo": True}


def _sqlite(
    url: URL,
    opened: Event,
    *,
    writes: bool,
    inline: bool = False,
    pool: Mapping[str, Any] = _POOL,
) -> Engine:
    """Return an engine for a file; `opened` is set once any engine of it has opened it."""
    wait = {"timeout": 0.01 if inline else BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(url, connect_args=wait, **pool, **JSON_TEXT)
    path = Path(str(url.database)).absolute()
    _listen_for_lost_file(engine, path, opened)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        opened.set()
        record.info["inline"] = inline
        if not writes:
            record.info["read_limit"] = limit = ReadLimit()
            connection.set_progress_handler(limit.is_exceeded, STEPS_PER_CHECK)
        record.info["file"] = _identity(str(path))
        # The driver begins transactions only at the first write, so `_begin` and `read_inline` do.
        connection.isolation_level = None
        for pragma in _pragmas(writes=writes, inline=inline):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if writes:
            _take_write_lock(connection)
        elif not inline:
            driver: Any = connection.connection.driver_connection
            with TranslatedErrors(connection, "BEGIN"):
                driver.execute("BEGIN")

    return engine


def _listen_for_lost_file(engine: Engine, path: Path, opened: Event) -> None:
    """Keep connections off a file that was moved or replaced since it was opened."""
    file = str(path)

    @event.listens_for(engine, "do_connect")
    def _open(_dialect: Any, _record: Any, positional: list[Any], named: dict[str, Any]) -> None:
        # A file that is gone will come back, so no empty file must be created in its place.
        if opened.is_set():
            positional[0] = f"{path.as_uri()}?mode=rw"
            named["uri"] = True

    @event.listens_for(engine, "checkout")
    def _check_file(_connection: Any, record: Any, _proxy: Any) -> None:
        # A file that was moved or replaced is still open, and what is written to it is lost.
        if record.info["file"] != _identity(file):
            raise DisconnectionError("the database's file is another one by now")


def _pragmas(*, writes: bool, inline: bool) -> list[str]:
    """Return the settings of a new connection to SQLite, in their order."""
    pragmas = [
        f"page_size = {PAGE_BYTES}",  # It comes first, because the next one creates the file.
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",  # Purged data is overwritten, so that no free page holds it.
    ]
    if writes:
        return [*pragmas, NO_BUSY_TIMEOUT]
    return [*pragmas, "query_only = ON", f"mmap_size = {MAPPED_BYTES if inline else 0}"]


def _take_write_lock(connection: Connection) -> None:
    """Begin a transaction that writes, once no other process writes. Raises OperationalError.

    SQLite's own wait ends up trying ten times a second, so it hardly ever gets the lock beside a
    busy process.
    """
    driver: Any = connection.connection.driver_connection
    deadline = time.monotonic() + _patience(connection) / 1000
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            # The lowest byte is the error, and the others its details.
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise translate_error(connection, error, "BEGIN IMMEDIATE") from error
            time.sleep(random.uniform(0.001, 0.01))  # noqa: S311
        else:
            return


def _limit_duration(connection: Connection, seconds: float | None) -> None:
    """Limit the duration of a reader's statements; None removes the limit."""
    if limit := connection.info.get("read_limit"):
        # Without a limit there is no handler: each call would wait for its turn in Python.
        driver: Any = connection.connection.driver_connection
        handler = None if seconds is None else limit.is_exceeded
        driver.set_progress_handler(handler, STEPS_PER_CHECK)
        limit.deadline = float("inf") if seconds is None else time.monotonic() + seconds
        limit.steps = float("inf")
    elif seconds is None:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def _enforce_keys(connection: Connection, *, on: bool) -> None:
    if connection.dialect.name == "sqlite":
        # SQLite ignores it inside a transaction, which any statement by SQLAlchemy begins.
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA foreign_keys = {'ON' if on else 'OFF'}")


@contextmanager
def _without_log(connection: Connection) -> Iterator[None]:
    """Let SQLite write straight into its file in this context, without the write-ahead log."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    # This fails if somebody else has the file open, and then the log stays in use.
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
    # It must run outside a transaction. While it waits for readers, writers wait for it, so the
    # timeout is short.
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout = 1000")
    try:
        busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError:
        return False  # For example a full disk. Commits are kept, and so is the log.
    finally:
        driver.execute(f"PRAGMA {NO_BUSY_TIMEOUT}")
    return not busy


def _identity(path: str) -> tuple[int, int] | None:
    try:
        # It runs before each read, and a Path takes longer than the answer.
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino


def unenforced_keys(connection: Connection) -> list[str]:
    """Return the rows whose foreign keys point nowhere.

    Only SQLite can have any, written while its checks were off.
    """
    if connection.dialect.name != "sqlite":
        return []
    return [str(tuple(row)) for row in connection.execute(text("PRAGMA foreign_key_check"))]
