"""`/v1/export`: everything public at one moment, as a stream that holds nothing but its snapshot."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api import pieces
from api.main import create_app
from api.routes import export
from api.settings import Settings
from models import changes
from tests.conftest import Store
from tests.models.exports import exported, in_every_state
from tests.models.test_changes import a_claim


@pytest.fixture
def own(seeded: Store) -> Iterator[TestClient]:
    """Give a client on content of the test's own."""
    with TestClient(create_app(Settings(database_url=seeded.url)), raise_server_exceptions=False) as found:
        yield found


def test_it_is_the_export_of_the_command(own: TestClient, seeded: Store) -> None:
    in_every_state(seeded)
    answer = own.get("/v1/export")
    serial = json.loads(answer.content.partition(b"\n")[0])["serial"]
    assert answer.status_code == 200
    assert answer.content == exported(seeded)
    assert answer.headers["content-type"] == "application/jsonl"
    assert answer.headers["content-disposition"] == f'attachment; filename="claimbase-{serial}.jsonl"'
    assert answer.headers["etag"] == f'W/"s{serial}"'
    assert answer.headers["vary"].startswith("Accept")


def test_a_client_that_has_it_gets_a_304(own: TestClient) -> None:
    etag = own.get("/v1/export").headers["etag"]
    unchanged = own.get("/v1/export", headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    served: Any = own.app
    with changes.begin(served.state.database, actor="ada") as change:
        changes.put_claim(change, a_claim())
    assert own.get("/v1/export", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    ("accept", "status"),
    [("application/jsonl", 200), ("application/x-ndjson", 200), ("*/*", 200), ("application/json", 406)],
)
def test_what_a_client_accepts(accept: str, status: int, client: TestClient) -> None:
    answer = client.get("/v1/export", headers={"Accept": accept})
    assert answer.status_code == status
    if status == 406:
        assert answer.json()["errors"][0]["allowed"] == list(export.MEDIA_TYPES)


def test_a_head_and_an_unknown_parameter(client: TestClient) -> None:
    head = client.head("/v1/export")
    assert (head.status_code, head.content) == (200, b"")
    assert client.get("/v1/export?limit=1").json()["code"] == "unknown_parameter"


def test_few_are_sent_at_once_and_each_place_is_given_back(own: TestClient, seeded: Store) -> None:
    free = own.app.state.exports  # type: ignore[attr-defined]
    begun = [export._content(seeded.database, free) for _ in range(export.AT_ONCE)]
    for content in begun:
        next(content)
    refused = own.get("/v1/export")
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert "Try again later" in refused.json()["detail"]
    # Whoever goes away in the middle gives the place back; so do a 304, a 406 and an answer that was read to its end.
    begun.pop().close()
    for _ in range(3):
        etag = own.get("/v1/export").headers["etag"]
        assert own.get("/v1/export", headers={"If-None-Match": etag}).status_code == 304
        assert own.get("/v1/export", headers={"Accept": "text/html"}).status_code == 406
    begun.pop().close()
    assert free.acquire(blocking=False)
    assert free.acquire(blocking=False)


def test_it_is_sent_in_pieces_that_do_not_grow() -> None:
    lines = [b"x" * 1000 + b"\n"] * 2000
    sent = list(pieces.pieces(lines))
    assert b"".join(sent) == b"".join(lines)
    assert max(map(len, sent)) <= pieces.PIECE + 1001
    assert len(sent) > 10


def test_what_is_slow_to_make_is_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PATIENCE", 0)
    assert list(pieces.pieces([b"one\n", b"two\n"])) == [b"one\n", b"two\n", b""]


def test_the_example_has_the_form_of_the_export(client: TestClient) -> None:
    real = client.get("/v1/export").text.splitlines()
    shown = export.EXAMPLE.splitlines()
    told = client.get("/openapi.json").json()["paths"]["/v1/export"]["get"]["responses"]["200"]["content"]
    assert told["application/jsonl"]["example"] == export.EXAMPLE
    for given, example in zip(real, shown, strict=False):
        assert list(json.loads(given)) == list(json.loads(example))
    assert json.loads(shown[0])["counts"] == json.loads(real[0])["counts"]
