"""Which coding a client gets, by its Accept-Encoding; what is compressed; streams that can be read
as they come.
"""

import gzip
import zlib
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest
import zstandard
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from api.http import compression
from api.http.compression import CompressionMiddleware, preferred_coding
from api.http.negotiation import MOST_RANGES, negotiate
from api.main import create_app
from api.settings import Settings
from tests.api.requests import problem
from tests.databases import Store
from tests.growth import MOST_GROWTH, growth

LONG = b"A long answer that says the same thing again and again. " * 200


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("gzip;q=1.0, zstd;q=0.9", "gzip"),
        ("zstd;q=0.1, gzip;q=0.1", "zstd"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0, zstd;q=0", "identity"),
        ("gzip;q=0, *", "zstd"),
        ("zstd;q=0, *;q=0.5", "gzip"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("*;q=0, identity", "identity"),
        ("identity", "identity"),
        ("identity;q=1, gzip;q=0.5", "identity"),
        ("identity;q=0.2, gzip;q=0.5", "gzip"),
        ("identity;q=0, gzip", "gzip"),
        ("identity;q=0, br", None),
        ("identity;q=0", None),
        ("br", "identity"),
        ("gzip;q=nonsense", "identity"),
        ("deflate, br;q=0.9", "identity"),
    ],
)
def test_the_coding_that_a_client_likes_best_is_taken(
    accepted: str | None, coding: str | None
) -> None:
    assert preferred_coding(None if accepted is None else accepted.encode()) == coding


@pytest.fixture
def served() -> Iterator[TestClient]:
    """Give a client of an application with answers of each sort."""
    app = FastAPI()
    app.add_middleware(CompressionMiddleware)

    async def slowly() -> AsyncIterator[bytes]:
        for number in range(3):
            yield f"piece {number}\n".encode()
            await anyio.sleep(0)

    app.get("/long")(lambda: Response(LONG, media_type="text/plain"))
    app.get("/short")(lambda: Response(b"short", media_type="text/plain"))
    app.get("/tagged")(lambda: Response(b"short", media_type="text/plain", headers={"ETag": '"7"'}))
    app.get("/picture")(lambda: Response(LONG, media_type="image/png"))
    app.get("/empty")(lambda: Response(b"", media_type="text/plain"))
    app.get("/stream")(lambda: StreamingResponse(slowly(), media_type="text/plain"))
    app.post("/written")(lambda: Response(LONG, media_type="text/plain", headers={"ETag": '"7"'}))
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("thread_from", [compression.THREAD_FROM, 1000])
def test_what_is_long_or_has_a_tag_is_compressed(
    served: TestClient, monkeypatch: pytest.MonkeyPatch, coding: str, thread_from: int
) -> None:
    monkeypatch.setattr(compression, "THREAD_FROM", thread_from)
    for path, compressed in (
        ("/long", True),
        ("/tagged", True),
        ("/short", False),
        ("/picture", False),
        ("/empty", False),
    ):
        with served.stream("GET", path, headers={"Accept-Encoding": coding}) as answer:
            content = b"".join(answer.iter_raw())
        assert answer.headers.get("content-encoding") == (coding if compressed else None), path
        assert int(answer.headers["content-length"]) == len(content)
        assert ("Accept-Encoding" in answer.headers.get("vary", "")) == compressed
    plain = served.get("/long", headers={"Accept-Encoding": "identity"})
    assert plain.content == LONG
    assert plain.headers["vary"] == "Accept-Encoding"


def test_tags_name_the_coding_but_in_the_answer_to_a_write(served: TestClient) -> None:
    for coding, tag in (("gzip", '"7-gzip"'), ("zstd", '"7-zstd"'), ("identity", '"7"')):
        assert served.get("/tagged", headers={"Accept-Encoding": coding}).headers["etag"] == tag
        assert served.post("/written", headers={"Accept-Encoding": coding}).headers["etag"] == '"7"'


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_each_piece_of_a_stream_can_be_read_before_the_next_comes(
    served: TestClient, coding: str
) -> None:
    unpack = (
        zlib.decompressobj(31) if coding == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    )
    with served.stream("GET", "/stream", headers={"Accept-Encoding": coding}) as answer:
        assert answer.headers["content-encoding"] == coding
        assert "content-length" not in answer.headers
        read = [piece for raw in answer.iter_raw() if (piece := unpack.decompress(raw))]
    assert b"".join(read) == b"piece 0\npiece 1\npiece 2\n"


def test_pieces_are_complete_one_by_one() -> None:
    for how, unpack in (
        (compression.Gzip, zlib.decompressobj(31)),
        (compression.Zstd, zstandard.ZstdDecompressor().decompressobj()),
    ):
        stream = how.stream()
        for number in range(3):
            piece = f"piece {number}\n".encode()
            assert unpack.decompress(stream.compress(piece) + stream.flush(how.block)) == piece


def test_an_answer_that_nobody_can_read_is_a_406(client: TestClient) -> None:
    answer = client.get("/v1/claims", headers={"Accept-Encoding": "identity;q=0, br"})
    assert answer.status_code == 406
    assert problem(answer)["errors"][0]["allowed"] == ["zstd", "gzip", "identity"]


def test_the_cache_keeps_each_coding_once(seeded: Store) -> None:
    app = create_app(Settings(database_url=seeded.url))
    with TestClient(app) as client:
        for accepted in (
            "gzip",
            "gzip, deflate",
            "gzip;q=0.5",
            "zstd",
            "gzip, deflate, br, zstd",
            "identity",
            "br",
        ):
            for _ in range(2):
                with client.stream(
                    "GET", "/v1/claims?include=evidence", headers={"Accept-Encoding": accepted}
                ) as answer:
                    content = b"".join(answer.iter_raw())
                coding = answer.headers.get("content-encoding", "identity")
                assert coding == preferred_coding(accepted.encode())
                if coding == "gzip":
                    content = gzip.decompress(content)
                if coding == "zstd":
                    content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
                assert content.startswith(b'{"data":[')
        assert len(app.cache.kept) == 3


def test_of_a_long_list_of_types_or_codings_the_first_are_read() -> None:
    offered = ("application/json", "text/csv")
    few = "a/b, " * (MOST_RANGES - 1) + "text/csv"
    assert negotiate(few, offered) == "text/csv"
    assert negotiate(f"a/b, {few}", offered) is None
    # A client may send 64 kB of them: twice as many cost hardly more.
    long = lambda number: ",".join(f"a/b;q=0.{position}" for position in range(number))  # noqa: E731
    assert growth(long, lambda header: negotiate(header, offered), 8000) < MOST_GROWTH
