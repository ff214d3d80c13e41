"""`/v1/export`: everything public at one moment, as a stream that holds nothing but its
snapshot.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from functools import partial
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.requests import ClientDisconnect

from api.http import body_chunks
from api.http.negotiation import LINES_TYPES
from api.main import create_app
from api.routes import export
from api.settings import Settings
from models.read import listings
from models.write import changes
from tests.databases import Store
from tests.models.exports import exported, in_every_state
from tests.records import a_claim


@pytest.fixture
def own(seeded: Store) -> Iterator[TestClient]:
    """Give a client on content of the test's own."""
    with TestClient(
        create_app(Settings(database_url=seeded.url)), raise_server_exceptions=False
    ) as found:
        yield found


def test_it_is_the_export_of_the_command(own: TestClient, seeded: Store) -> None:
    in_every_state(seeded)
    answer = own.get("/v1/export")
    serial = json.loads(answer.content.partition(b"\n")[0])["serial"]
    assert answer.status_code == 200
    assert answer.content == exported(seeded)
    assert answer.headers["content-type"] == "application/jsonl"
    assert (
        answer.headers["content-disposition"] == f'attachment; filename="claimbase-{serial}.jsonl"'
    )
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
    [
        ("application/jsonl", 200),
        ("application/x-ndjson", 200),
        ("*/*", 200),
        ("application/json", 406),
    ],
)
def test_what_a_client_accepts(accept: str, status: int, client: TestClient) -> None:
    answer = client.get("/v1/export", headers={"Accept": accept})
    assert answer.status_code == status
    if status == 406:
        assert answer.json()["errors"][0]["allowed"] == list(LINES_TYPES)


def test_a_head_and_an_unknown_parameter(client: TestClient) -> None:
    head = client.head("/v1/export")
    assert (head.status_code, head.content) == (200, b"")
    assert client.get("/v1/export?limit=1").json()["code"] == "unknown_parameter"


@pytest.mark.parametrize("others", [["10.0.0.1", "10.0.0.2"], ["testclient"]])
def test_few_are_sent_at_once_and_one_to_a_client(own: TestClient, others: list[str]) -> None:
    exports = own.app.state.exports  # type: ignore[attr-defined]
    exports.update(others)
    refused = own.get("/v1/export")
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert "Try again" in refused.json()["detail"]
    exports.remove(others[0])
    assert own.get("/v1/export").status_code == 200


def test_each_place_is_given_back(own: TestClient, seeded: Store) -> None:
    exports = own.app.state.exports  # type: ignore[attr-defined]
    for _ in range(3):
        etag = own.get("/v1/export").headers["etag"]
        assert own.get("/v1/export", headers={"If-None-Match": etag}).status_code == 304
        assert own.get("/v1/export", headers={"Accept": "text/html"}).status_code == 406
        assert own.head("/v1/export").status_code == 200
        assert exports == set()
    exports.add("somebody")
    reading = seeded.database.read(unlimited=True)
    content = export._content(reading, None, partial(exports.discard, "somebody"))
    next(content)
    content.close()
    assert exports == set()


def test_a_client_that_takes_too_little_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_chunks, "GRACE_SECONDS", 0.1)
    asyncio.run(_take_slowly())


async def _take_slowly() -> None:

    async def content() -> AsyncGenerator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    assert len([piece async for piece in body_chunks.to_fast_clients(content(), 1000)]) == 100
    taken = 0
    with pytest.raises(ClientDisconnect):
        async for piece in body_chunks.to_fast_clients(content(), 100_000):
            taken += len(piece)
            await asyncio.sleep(0.02)
    assert 0 < taken < 100_000


def test_a_head_of_a_stream_makes_none_of_it(
    own: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    usual = listings.read_page

    def noting(*all_of_it: Any) -> Any:
        made.append("page")
        return usual(*all_of_it)

    monkeypatch.setattr(listings, "read_page", noting)
    for path in ("/v1/claims?format=jsonl", "/v1/claims?format=csv", "/v1/sources?format=bibtex"):
        for encoding in ("identity", "gzip"):
            asked = {"Accept-Encoding": encoding}
            head = own.head(path, headers=asked)
            assert (head.status_code, head.content, made) == (200, b"", [])
            whole = own.get(path, headers=asked)
            assert made
            made.clear()
            for answer in (head, whole):
                answer.headers.pop("x-request-id")
                answer.headers.pop("ratelimit", None)
                answer.headers.pop("ratelimit-policy", None)
            assert dict(head.headers) == dict(whole.headers)


def test_it_is_sent_in_pieces_that_do_not_grow() -> None:
    lines = [b"x" * 1000 + b"\n"] * 2000
    sent = list(body_chunks.pieces(lines))
    assert b"".join(sent) == b"".join(lines)
    assert max(map(len, sent)) <= body_chunks.PIECE + 1001
    assert len(sent) > 10


def test_what_is_slow_to_make_is_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_chunks, "PATIENCE", 0)
    assert list(body_chunks.pieces([b"one\n", b"two\n"])) == [b"one\n", b"two\n", b""]


def counted(told: list[str], fails: bool = False) -> Generator[bytes]:
    """Yield three pieces, or fail at the third; tell of each, and in which thread it ends."""
    try:
        for number in range(3):
            if fails and number == 2:
                raise OSError("gone")
            time.sleep(0.01)
            told.append(str(number))
            yield b"%d" % number
    finally:
        told.append(threading.current_thread().name)


async def until_told(told: list[str], number: int) -> None:
    """Wait until so much was told."""
    async with asyncio.timeout(10):
        while len(told) < number:
            await asyncio.sleep(0.005)


def test_the_next_piece_is_made_while_one_is_being_sent() -> None:
    told: list[str] = []

    async def send() -> None:
        number = 0
        async for piece in body_chunks.ahead(counted(told)):
            assert piece == str(number).encode()
            number += 1
            # Nobody asks for the next one before this one is sent; it is made, or the end reached,
            # all the same.
            await until_told(told, number + 1)

    asyncio.run(send())
    assert told[:3] == ["0", "1", "2"]
    assert len(told) == 4
    assert told[3] != threading.current_thread().name


@pytest.mark.parametrize("fails", [False, True])
def test_what_makes_pieces_is_closed_however_it_ends(fails: bool) -> None:
    told: list[str] = []

    async def leave_early() -> None:
        sending = body_chunks.ahead(counted(told, fails))
        assert await anext(sending) == b"0"
        if fails:
            with pytest.raises(OSError, match="gone"):
                assert [piece async for piece in sending] == [b"1"]
        else:
            await sending.aclose()
        await until_told(told, 3)

    asyncio.run(leave_early())
    assert told[:2] == ["0", "1"], "the second was being made when nobody wanted it any more"
    assert len(told) == 3


def test_a_stream_gives_way_to_those_who_are_answered_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body_chunks, "PAUSE", 10)

    async def took() -> float:
        async def answers() -> None:
            while True:
                time.sleep(0.002)  # As a request takes the event loop for itself.
                await asyncio.sleep(0)

        answering = asyncio.create_task(answers())
        begun = time.monotonic()
        assert b"".join([piece async for piece in body_chunks.ahead(counted([]))]) == b"012"
        answering.cancel()
        return time.monotonic() - begun

    assert asyncio.run(took()) > 0.3

    async def alone() -> bool:
        return any([not await body_chunks._is_busy() for _ in range(100)])

    assert asyncio.run(alone())


def test_the_example_has_the_form_of_the_export(client: TestClient) -> None:
    real = client.get("/v1/export").text.splitlines()
    shown = export.EXAMPLE.splitlines()
    told = client.get("/openapi.json").json()["paths"]["/v1/export"]["get"]["responses"]["200"][
        "content"
    ]
    assert told["application/jsonl"]["example"] == export.EXAMPLE
    for given, example in zip(real, shown, strict=False):
        assert list(json.loads(given)) == list(json.loads(example))
    assert json.loads(shown[0])["counts"] == json.loads(real[0])["counts"]
