"""The whole suite runs on files of SQLite and on a real PostgreSQL; nothing is mocked and every
test really commits.
"""

import gc
import logging
import os
import shutil
import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Dialect

from api.http.rate_limits import Limit
from api.main import create_app
from api.settings import Settings
from models.database import prepared_statements
from models.database.prepared_statements import Prepared
from models.search.synonyms import read_abbreviations, read_synonyms
from tests.api.curating import Desk, at_desk, serial
from tests.databases import DATABASES, Store, Templates, quick_folder, store_of

# The model takes a second to load, and would write beside the tests. Those of the model ask for it.
os.environ["CLAIMBASE_MATCH_MODEL"] = "false"
# A busy machine must not decide whether a question is answered. Tests of this limit set it.
os.environ["CLAIMBASE_READ_SECONDS"] = "60"
# Receivers of webhooks listen here; those of examples have names that nobody has.
os.environ["CLAIMBASE_WEBHOOK_PRIVATE"] = "true"
# What tests start again and again is compiled once, also where Python is told not to.
os.environ["PYTHONDONTWRITEBYTECODE"] = ""
# So many more objects than were freed make a search for garbage.
GARBAGE = 50_000


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let kept answers be no second behind: tests write past the application, as another node
    would, and look at once.
    """
    monkeypatch.setattr("api.http.response_cache.POLL_SECONDS", -1.0)
    # A busy machine must not decide whether an answer comes from the cache.
    monkeypatch.setattr("api.http.response_cache.POLL_PATIENCE", 60.0)


class _PreparedByKind:
    """Compiled statements that all databases of a kind share: each test has one of its own."""

    def __init__(self) -> None:
        self.of_kind: dict[str, dict[Hashable, Prepared]] = defaultdict(dict)

    def get(self, dialect: Dialect) -> dict[Hashable, Prepared]:
        return self.of_kind[dialect.name]


prepared_statements._prepared = _PreparedByKind()  # type: ignore[assignment]
# Read once for the thousand applications of all tests.
SYNONYMS, ABBREVIATIONS = cache(read_synonyms), cache(read_abbreviations)


@pytest.fixture(autouse=True)
def synonyms_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all applications share the synonyms of a folder, whose file no test changes."""
    monkeypatch.setattr("api.main.read_synonyms", SYNONYMS)
    monkeypatch.setattr("api.main.read_abbreviations", ABBREVIATIONS)


@pytest.fixture(scope="session")
def templates() -> Iterator[Templates]:
    folder = quick_folder()
    yield Templates(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=DATABASES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty(templates: Templates, kind: str) -> Iterator[Store]:
    """Give a migrated database without content."""
    yield from store_of(templates, kind, seeded=False)


@pytest.fixture(scope="session", params=DATABASES)
def untouched(request: pytest.FixtureRequest, templates: Templates) -> Iterator[Store]:
    """Give a migrated database without content, for tests of what is refused whole."""
    yield from store_of(templates, str(request.param), seeded=False)


@pytest.fixture
def other(templates: Templates, kind: str) -> Iterator[Store]:
    """Give a migrated database without content, of the other kind than the test's."""
    (another,) = (each for each in DATABASES if each != kind)
    yield from store_of(templates, another, seeded=False)


@pytest.fixture
def seeded(templates: Templates, kind: str) -> Iterator[Store]:
    """Give a database with the seed content."""
    yield from store_of(templates, kind, seeded=True)


@pytest.fixture
def desk(seeded: Store, kind: str, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """Give a desk on the seed content; whatever is done there must leave revisions, tables and
    documents in agreement.

    To prove that takes longer than most tests do, so each test proves it on one of the databases,
    by its name.
    """
    number = zlib.crc32(request.node.nodeid.replace(kind, "").encode())
    with at_desk(seeded) as desk:
        yield desk
        if kind == DATABASES[number % len(DATABASES)]:
            assert desk.disagreements() == []


@contextmanager
def _lasting_desk(templates: Templates, kind: str) -> Iterator[Desk]:
    for store in store_of(templates, kind, seeded=True):
        with at_desk(store) as desk:
            yield desk
            assert desk.disagreements() == []


# Of a module alone: what an application asks beside the requests is no business of other tests.
@pytest.fixture(scope="module")
def lasting_desks(templates: Templates) -> Iterator[Callable[[str], Desk]]:
    """Give a desk on each kind of database, opened once whatever the order of the tests."""
    with ExitStack() as opened:
        yield cache(lambda kind: opened.enter_context(_lasting_desk(templates, kind)))


@pytest.fixture
def untouched_desk(lasting_desks: Callable[[str], Desk], kind: str) -> Iterator[Desk]:
    """Give a desk on the seed content, for tests of what is refused whole."""
    desk = lasting_desks(kind)
    before = serial(desk)
    yield desk
    assert serial(desk) == before


@pytest.fixture(scope="session", params=DATABASES)
def shared(request: pytest.FixtureRequest, templates: Templates) -> Iterator[Store]:
    """Give a seeded database that many tests read and none writes."""
    yield from store_of(templates, str(request.param), seeded=True)


@pytest.fixture(scope="session")
def client(shared: Store) -> Iterator[TestClient]:
    """Give a client of the API on the seed content, for tests that only read."""
    # More files of citations come from the one address of all tests than from one of the world.
    app = create_app(Settings(database_url=shared.url))
    app.state.limits.files_by_address = Limit(10**12)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


class _WithCause(logging.Formatter):
    """Adds the cause that the program logs beside a message, which is not in the answer."""

    def format(self, record: logging.LogRecord) -> str:
        cause = getattr(record, "cause", None)
        return super().format(record) + (f": {cause}" if cause else "")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Leave out the search for garbage while tests are collected: nothing of them ever is.

    Where a test fails, show why the database did.
    """
    gc.disable()
    own = session.config.pluginmanager.get_plugin("logging-plugin")
    assert own is not None
    own.report_handler.setFormatter(_WithCause(own.formatter._fmt, own.formatter.datefmt))


def pytest_collection_finish() -> None:
    """Let no later search for garbage go through the millions of objects of collected tests.

    At the usual threshold, the searches take a seventh of the time of all tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the file whose tests take long to collect, except in the slow suite."""
    is_left_out = collection_path.name == "test_every_edge.py"
    return True if is_left_out and config.option.markexpr == "not slow" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-examples",
        action="store_true",
        help="write the examples of the OpenAPI document anew",
    )
