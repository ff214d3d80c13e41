"""A fault of ours, or a database that is gone, is told in the one shape of errors and gives nothing
away.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import Any, NoReturn

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, create_engine, make_url, text

from api.main import create_app
from api.settings import Settings
from models.read import facets, listings, relation_graph
from tests.api.requests import problem
from tests.databases import Store, Templates, store_of

ORIGIN = {"Origin": "https://app.example"}


@pytest.fixture
def uncached(shared: Store) -> Iterator[TestClient]:
    """Give a client for which nothing is answered by what others asked before."""
    app = create_app(Settings(database_url=shared.url, cache_mb=0))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("module", "function", "path"),
    [
        (listings, "read_page", "/v1/claims"),
        (listings, "read_page", "/v1/sources?author=doepp"),
        (listings, "read_claim", "/v1/claims/ccsvi-causes-ms"),
        (facets, "facets", "/v1/claims/facets"),
        (relation_graph, "walk", "/v1/claims/ccsvi-causes-ms/relations"),
        (listings, "current_serial", "/v1"),
        (listings, "read_referenced_source", "/v1/sources/doepp-2010"),
    ],
)
def test_a_fault_of_ours_is_a_500_without_its_inside(
    module: ModuleType,
    function: str,
    path: str,
    uncached: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_arguments: Any, **_named: Any) -> NoReturn:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(module, function, broken)
    answer = uncached.get(path, headers=ORIGIN)
    assert answer.status_code == 500
    body = problem(answer)
    assert body["code"] == "internal_error"
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "*"
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told.__dict__["request_id"] == body["request_id"]
    assert told.exc_text is not None or told.exc_info is not None
    monkeypatch.undo()
    assert uncached.get(path).status_code == 200


def test_a_database_that_is_gone_is_503_and_says_when_to_try_again(
    templates: Templates, kind: str
) -> None:
    url = templates.copy(kind, seeded=True)
    application = create_app(Settings(database_url=url))
    with TestClient(application, raise_server_exceptions=False) as client:
        assert client.get("/v1/claims").status_code == 200
        application.state.database.close()  # A file that is open would live on without its name.
        templates.drop(url)
        for path in (
            "/v1/claims",
            "/v1/claims/ccsvi-causes-ms",
            "/v1/claims/facets",
            "/v1/sources/doepp-2010",
            "/v1",
        ):
            answer = client.get(path, headers=ORIGIN)
            assert answer.status_code == 503, path
            assert problem(answer)["code"] == "unavailable"
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["access-control-allow-origin"] == "*"
            for inside in ("psycopg", "sqlite", "SELECT", "Error", str(make_url(url).database)):
                assert inside not in answer.text
        assert problem(client.get("/readyz"))["status"] == 503
        assert client.get("/healthz").status_code == 200
        assert client.get("/v1/vocabularies").status_code == 200
    if kind == "sqlite":
        templates.drop(url)  # Asking made an empty file anew.


def test_a_postgresql_server_that_ends_a_connection_is_asked_again(templates: Templates) -> None:
    url = templates.copy("postgresql", seeded=True)
    application = create_app(Settings(database_url=url))
    with TestClient(application, raise_server_exceptions=False) as client:
        assert client.get("/v1/claims").status_code == 200
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            end = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database()"
            )
            assert connection.execute(text(end + " AND pid <> pg_backend_pid()")).scalars().all()
        engine.dispose()
        assert client.get("/v1/claims").status_code == 200
    templates.drop(url)


def test_a_short_read_whose_connection_is_lost_begins_anew(
    templates: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where this process is so busy that the database seems to hang."""
    read = listings.read_claim
    lost: list[bool] = []

    def losing(connection: Connection, *given: Any, **named: Any) -> Any:
        if not lost:
            lost.append(True)
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return read(connection, *given, **named)

    monkeypatch.setattr(listings, "read_claim", losing)
    for store in store_of(templates, "postgresql", seeded=True):
        app = create_app(Settings(database_url=store.url, cache_mb=0))
        with TestClient(app, raise_server_exceptions=False) as client:
            assert client.get("/v1/claims/ccsvi-causes-ms").status_code == 200
    assert lost
