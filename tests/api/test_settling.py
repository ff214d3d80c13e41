"""A distributed store lets nobody keep an answer by a serial that is too young: a read may see it
before it sees the content that belongs to it.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http import settling
from api.http.settling import SETTLING_SECONDS, SettledSerials
from api.main import Application, create_app
from api.settings import Settings
from models.database import sharding
from models.records.claim import TopicIn
from models.write import changes
from tests.databases import SEEDED, Store

LIST, RECORD = "/v1/claims?limit=1", "/v1/claims/ccsvi-causes-ms"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Give a function that moves the clock of the serials on, which else stands."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


@pytest.fixture
def client(seeded: Store) -> Iterator[tuple[TestClient, Application]]:
    app = create_app(Settings(database_url=seeded.url))
    with TestClient(app) as client:
        client.get("/v1")  # The first connection finds out.
        yield client, app


@pytest.fixture
def distributed(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TestClient, Application]]:
    """Give a client of an application that finds its database distributed."""
    monkeypatch.setattr(sharding, "_is_sharded", lambda _cursor: True)
    app = create_app(Settings(database_url=seeded.url))
    # Of a file no connection finds it out.
    app.state.database.sharding.is_on = True
    # It keeps by its own commits and by the serial alone, as where no file says what changed.
    monkeypatch.setattr(app.state.database, "change_token", lambda: None)
    with TestClient(app) as client:
        yield client, app


def kept(app: Application) -> set[str]:
    """Return the paths whose answers are kept."""
    return {key[1].decode() for key in app.cache.kept}  # type: ignore[index]


def topic(store: Store, slug: str) -> None:
    with changes.begin(store.database, actor="test") as change:
        changes.put_topic(change, TopicIn(id=slug, label=slug, definition="A topic."))


def test_a_serial_settles_after_its_time(clock: Callable[[float], None]) -> None:
    serials = SettledSerials()
    assert not serials.see(7)
    clock(SETTLING_SECONDS / 2)
    assert not serials.see(8)
    assert not serials.see(7)
    clock(SETTLING_SECONDS / 2)
    assert serials.see(7)
    assert not serials.see(8)
    clock(SETTLING_SECONDS / 2)
    assert serials.see(8)
    assert serials.see(3)
    assert not serials.see(9)


@pytest.mark.parametrize(
    ("tag", "sent"),
    [
        ('W/"s9"', ("no-store", None)),
        ('W/"s9-2026-11-29-abc"', ("no-store", None)),
        ('"9"', ("no-store", '"9"')),
        ('"9-gzip"', ("no-store", '"9-gzip"')),
        ('"5"', ("no-cache", '"5"')),
        ('W/"s5"', ("no-cache", 'W/"s5"')),
        # Of a file's content, and of the program.
        ('"9f2a1c"', ("no-cache", '"9f2a1c"')),
        ('"1234567890123456"', ("no-cache", '"1234567890123456"')),
        ('"0.9.0"', ("no-cache", '"0.9.0"')),
    ],
)
def test_the_tag_of_a_list_goes_and_that_of_a_record_stays(
    tag: str, sent: tuple[str, str | None], clock: Callable[[float], None]
) -> None:
    serials = SettledSerials()
    serials.see(5)
    clock(SETTLING_SECONDS)
    headers = [(b"etag", tag.encode()), (b"cache-control", b"no-cache")]
    left = dict(settling.without_unsettled(headers, serials))
    etag = left.get(b"etag")
    assert (left[b"cache-control"].decode(), etag and etag.decode()) == sent


def test_a_distributed_store_tags_and_keeps_what_is_settled(
    distributed: tuple[TestClient, Application], seeded: Store, clock: Callable[[float], None]
) -> None:
    asking, app = distributed

    def ask(path: str) -> Any:
        return asking.get(path, headers={"Accept-Encoding": "identity"})

    answer = ask(LIST)
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert app.cache.token is None
    clock(SETTLING_SECONDS)
    assert ask(LIST).headers["etag"] == f'W/"s{SEEDED}"'
    record = ask(RECORD)
    assert kept(app) >= {LIST.partition("?")[0], RECORD}
    topic(seeded, "new")
    answers = [ask(LIST), ask(RECORD)]
    assert "etag" not in answers[0].headers
    # The record is as old as it was.
    assert answers[1].headers["etag"] == record.headers["etag"]
    assert app.cache.token is None
    clock(SETTLING_SECONDS)
    assert ask(LIST).headers["etag"] == f'W/"s{SEEDED + 1}"'
    # Who has the tag had it of a settled answer.
    unchanged = asking.get(LIST, headers={"If-None-Match": f'W/"s{SEEDED + 1}"'})
    assert unchanged.status_code == 304


def test_a_store_on_one_server_tags_what_is_new(
    client: tuple[TestClient, Application], seeded: Store
) -> None:
    asking, app = client
    assert app.state.database.sharding.is_on is False
    topic(seeded, "new")
    answer = asking.get(LIST)
    assert answer.headers["etag"] == f'W/"s{SEEDED + 1}"'
    assert answer.headers["cache-control"] == "no-cache"
