"""Whether a process is ready: what is checked, and that nothing keeps the answer waiting."""

import threading
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.http import readiness
from api.main import create_app
from api.settings import Settings
from models.database.connections import Database
from models.database.readiness import replica_lag
from tests.api.requests import get_json, problem
from tests.databases import Store

NAMES = ["database", "migrations", "damage", "disk", "replica"]


@pytest.fixture
def ready(seeded: Store) -> Iterator[TestClient]:
    app = create_app(Settings(database_url=seeded.url))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_all_checks_are_told(ready: TestClient) -> None:
    told = get_json(ready, "/readyz")
    assert [check["name"] for check in told["checks"]] == NAMES
    assert all(check["ok"] and check["detail"] for check in told["checks"])


@pytest.mark.parametrize(
    ("name", "changed", "told"),
    [
        ("disk", {"free_bytes": lambda _database: 99 * 2**20}, "99 MB are free"),
        ("replica", {"replica_lag": lambda _connection: 61.0}, "61 seconds behind"),
        ("migrations", {"schema_version.HEAD": "9999"}, "this program at 9999"),
    ],
)
def test_a_check_that_fails_is_named(
    name: str,
    changed: dict[str, object],
    told: str,
    ready: TestClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for target, value in changed.items():
        monkeypatch.setattr(f"api.http.readiness.{target}", value)
    answer = problem(ready.get("/readyz"))
    assert (answer["status"], answer["code"]) == (503, "unavailable")
    (error,) = answer["errors"]
    assert error["parameter"] == name
    assert told in error["detail"]


def test_a_check_that_hangs_is_given_up_and_not_begun_again(
    ready: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun = threading.Event(), []

    def hang(_database: Database) -> str:
        begun.append(1)
        go_on.wait(60)
        return "It answers."

    monkeypatch.setitem(readiness.CHECKS, "database", hang)
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.1)
    for _ in range(5):
        answer = problem(ready.get("/readyz"))
        # On a busy machine others may take longer than that, too.
        assert "database" in [error["parameter"] for error in answer["errors"]]
        assert "No answer within 0.1 seconds" in answer["detail"]
    assert ready.get("/healthz").status_code == 200
    assert len(begun) == 1
    go_on.set()
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 60)
    deadline = time.monotonic() + 60
    while ready.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline


def test_the_answer_does_not_wait_for_connections_that_others_hold(
    ready: TestClient,
) -> None:
    database: Database = ready.app.state.database  # type: ignore[attr-defined]
    held = [database.reader.connect() for _ in range(15)]  # The pool, and what may overflow it.
    assert ready.get("/readyz").status_code == 200
    for connection in held:
        connection.close()


def test_a_primary_and_a_file_are_no_replicas(seeded: Store) -> None:
    with seeded.database.read() as connection:
        assert replica_lag(connection) is None
