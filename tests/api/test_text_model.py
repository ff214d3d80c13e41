"""The model in a server, and as a command: vectors are made beside the work, or the reason told."""

import time
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from api.http import text_model
from api.http.text_model import TextModel
from api.main import create_app
from api.settings import Settings
from models.projection.integrity_check import check
from models.search import embedding, vectors
from models.search.embedding import NoModel
from models.search.vectors import claim_vector
from models.write import changes
from tests.command_line import run
from tests.databases import SEEDED_CLAIMS, Store
from tests.letters import Letters
from tests.records import a_claim

PATIENCE = 60.0


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> Letters:
    """Let the model be one of letters."""
    model = Letters()
    monkeypatch.setattr(embedding, "load", lambda: model)
    monkeypatch.setattr(text_model, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(text_model, "RETRY_SECONDS", 0.01)
    return model


def wait_for(condition: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < PATIENCE
        time.sleep(0.005)


def claims_with_vectors(store: Store) -> list[str]:
    with store.database.read() as connection:
        return list(connection.scalars(select(claim_vector.c.claim)))


def put(store: Store, slug: str, statement: str) -> None:
    with changes.begin(store.database, actor="ada") as change:
        changes.put_claim(change, a_claim(slug, statement=statement))


def model_of(client: TestClient) -> TextModel:
    found: TextModel = client.app.state.text_model  # type: ignore[attr-defined]
    return found


def test_a_server_makes_vectors_beside_its_work(empty: Store, letters: Letters) -> None:
    put(empty, "a", "aaab")
    with TestClient(create_app(Settings(database_url=empty.url, match_model=True))) as client:
        wait_for(lambda: claims_with_vectors(empty) == ["a"])
        put(empty, "b", "bbba")
        wait_for(lambda: len(claims_with_vectors(empty)) == 2)
        put(empty, "a", "cccc")
        wait_for(lambda: letters.embedded[-1] == "cccc" and len(claims_with_vectors(empty)) == 2)
        model = model_of(client)
        wait_for(lambda: model.note is None)
        assert not isinstance(model.nearest, NoModel)
        with empty.database.read() as connection:
            assert model.nearest.find(connection, ["cc"], 1) == [{"a": 1.0}]
            assert list(check(connection)) == []
    # It ended with the server.
    put(empty, "d", "dddd")
    assert model._thread is not None
    assert not model._thread.is_alive()
    assert letters.embedded == ["aaab", "bbba", "cccc", "cc"]


def test_an_error_of_the_database_is_outlived(
    empty: Store, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(empty, "a", "aaab")
    usual = vectors.fill
    failures = [OperationalError("INSERT", {}, Exception("full"))]

    def fill(*arguments: object, **named: object) -> int:
        if failures:
            raise failures.pop()
        return usual(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(vectors, "fill", fill)
    with TestClient(create_app(Settings(database_url=empty.url, match_model=True))):
        wait_for(lambda: claims_with_vectors(empty) == ["a"])
    assert not failures
    assert letters.embedded == ["aaab"]


def test_a_note_tells_what_the_model_does_not_know(empty: Store) -> None:
    model = TextModel(empty.database, {}, wanted=False)
    assert model.note == text_model.TURNED_OFF.reason
    model.start()
    model.stop()
    assert model.nearest is text_model.TURNED_OFF
    model = TextModel(empty.database, {}, wanted=True)
    assert model.note == text_model.LOADING.reason


@pytest.mark.parametrize("kind", ["sqlite"])
def test_without_the_model_the_server_serves(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "load", lambda: embedding.NOT_INSTALLED)
    with TestClient(create_app(Settings(database_url=seeded.url, match_model=True))) as client:
        wait_for(lambda: model_of(client).note == embedding.NOT_INSTALLED.reason)
        assert client.get("/v1/claims?q=veins").status_code == 200
    assert run("embed", url=seeded.url).stderr == embedding.NOT_INSTALLED.reason + "\n"
    assert run("embed", url=seeded.url).returncode == 1


def test_the_command_makes_what_is_missing(seeded: Store, letters: Letters) -> None:
    assert len(letters.embedded) == 0
    first = run("embed", url=seeded.url)
    made = len(letters.embedded)
    assert made > SEEDED_CLAIMS
    assert first.stdout == f"{made} vectors made, of {SEEDED_CLAIMS} claims.\n"
    assert run("embed", url=seeded.url).stdout == f"0 vectors made, of {SEEDED_CLAIMS} claims.\n"
    assert run("check", url=seeded.url).returncode == 0


def test_the_database_refuses_a_vector_of_another_length(empty: Store, letters: Letters) -> None:
    put(empty, "a", "aaab")
    assert vectors.fill(empty.database, letters, ["a"]) == 1
    with pytest.raises(Exception, match="ck_claim_vector_length"), empty.database.write() as write:
        write.execute(text("UPDATE claim_vector SET vector = ''"))
