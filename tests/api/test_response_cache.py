"""An answer that was given before is given again, as it was, until anything is changed; and takes
no more room than it may.
"""

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import make_url

from api.http.response_cache import MOST_VARYING, POLL_SECONDS, Cache
from api.main import create_app
from api.settings import Settings
from models.database.connections import Database, connect
from models.read import listings
from models.records.claim import TopicIn
from models.write import changes
from tests.api.curating import Desk
from tests.databases import Store

PATHS = (
    "/v1",
    "/v1/claims?status=refuted&include=evidence,sources",
    "/v1/claims/facets?by=status",
    "/v1/claims/ccsvi-causes-ms",
    "/v1/claims/ccsvi-causes-ms?format=bibtex",
    "/v1/claims/ccsvi-causes-ms/badge.svg",
    "/v1/claims/ccsvi-causes-ms/timeline",
    "/v1/sources?format=csl_json",
    "/v1/evidence?limit=200",
    "/v1/vocabularies/statuses",
)
PLAIN = {"accept-encoding": "identity"}


@contextmanager
def serving(url: str, **settings: Any) -> Iterator[tuple[TestClient, Cache]]:
    """Give a client of the application on a database, and its cache."""
    app = create_app(Settings(database_url=url, **settings))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client, app.cache


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give a list that grows with each page that is read from the database."""
    done: list[str] = []
    usual: Callable[..., Any] = listings.read_page

    def noting(*all_of_it: Any) -> Any:
        done.append("page")
        return usual(*all_of_it)

    monkeypatch.setattr(listings, "read_page", noting)
    return done


def add_topic(database: Database, slug: str) -> None:
    """Commit something that a list shows."""
    with changes.begin(database, actor="Anna") as change:
        changes.put_topic(change, TopicIn(id=slug, label=slug, definition="A topic."))


def topics(client: TestClient) -> set[str]:
    """Return what the list of topics shows."""
    return {topic["id"] for topic in client.get("/v1/topics?limit=200").json()["data"]}


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_the_second_answer_is_the_first_with_an_id_of_its_own(seeded: Store, encoding: str) -> None:
    with serving(seeded.url) as (client, cache):
        for path in PATHS:
            asked = {"Accept-Encoding": encoding, "Origin": "https://app.example"}
            first, second = client.get(path, headers=asked), client.get(path, headers=asked)
            assert first.status_code == 200, path
            ids = [answer.headers.pop("x-request-id") for answer in (first, second)]
            # What remains of the time for long reads is told where time was taken.
            for name in ("ratelimit", "ratelimit-policy"):
                first.headers.pop(name, None)
            assert first.headers == second.headers, path
            assert first.content == second.content
            assert ids[0] != ids[1]
            known = {**asked, "If-None-Match": first.headers["etag"]}
            for _ in range(2):
                unchanged = client.get(path, headers=known)
                assert (unchanged.status_code, unchanged.content) == (304, b"")
                assert unchanged.headers["etag"] == first.headers["etag"]
        assert len(cache.kept) == 2 * len(PATHS)


def test_what_is_kept_costs_no_work_and_leaves_a_line_in_the_log(
    seeded: Store, worked: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with serving(seeded.url) as (client, _), caplog.at_level(logging.INFO, "claimbase.request"):
        for _ in range(3):
            assert (
                client.get("/v1/claims?limit=3", headers={"X-Request-ID": "mine"}).headers[
                    "x-request-id"
                ]
                == "mine"
            )
    assert len(worked) == 1
    lines = [vars(record) for record in caplog.records if vars(record).get("path") == "/v1/claims"]
    assert [(line["request_id"], line["status"], line["query"]) for line in lines] == [
        ("mine", 200, "limit=3")
    ] * 3


def test_what_differs_is_not_taken_for_the_same(seeded: Store, worked: list[str]) -> None:
    with serving(seeded.url) as (client, _):
        for asked in (
            {},
            {"Accept": "text/csv"},
            {"Host": "b.example"},
            {"Origin": "https://a.example"},
            PLAIN,
        ):
            client.get("/v1/sources", headers=asked)
        assert len(worked) >= 4
        assert (
            client.get("/v1/sources", headers={"Accept": "text/csv"})
            .headers["content-type"]
            .startswith("text/csv")
        )
        assert client.get("/v1/sources", headers={"Accept": "text/html"}).status_code == 406
        assert "access-control-allow-origin" not in client.get("/v1/sources").headers
        assert client.head("/v1/sources").content == b""
        assert client.get("/v1/sources?limit=1").json()["page"]["limit"] == 1


def test_who_comes_with_a_key_or_a_body_is_asked_for_it(seeded: Store) -> None:
    with serving(seeded.url) as (client, cache):
        assert client.get("/v1/claims").status_code == 200
        assert (
            client.get("/v1/claims", headers={"Authorization": "Bearer nonsense"}).status_code
            == 401
        )
        kept = len(cache.kept)
        client.request("GET", "/v1/topics", content=b"x")
        assert len(cache.kept) == kept


def test_errors_streams_and_what_has_no_tag_are_not_kept(seeded: Store) -> None:
    with serving(seeded.url) as (client, cache):
        for path in (
            "/v1/claims?limit=0",
            "/v1/claims/nothing",
            "/healthz",
            "/readyz",
            "/nowhere",
            "/v1/keys",
        ):
            for _ in range(2):
                client.get(path)
        assert not cache.kept


def test_a_write_is_seen_at_once_by_who_wrote(desk: Desk) -> None:
    for number in range(3):
        before = {
            topic["id"] for topic in desk.must(200, None, "GET", "/v1/topics?limit=200")["data"]
        }
        made = desk.accepted("topic", f"new-{number}")
        after = {
            topic["id"] for topic in desk.must(200, None, "GET", "/v1/topics?limit=200")["data"]
        }
        assert after == before | {made}


def test_a_commit_of_another_node_is_seen_within_a_second(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.response_cache.POLL_SECONDS", POLL_SECONDS)
    other = connect(seeded.url)
    with serving(seeded.url) as (client, _):
        for number in range(2):
            assert f"new-{number}" not in topics(client)
            assert f"new-{number}" not in topics(client)
            add_topic(other, f"new-{number}")
            if not other.inline:  # It is asked once a second; a file tells at once.
                time.sleep(POLL_SECONDS + 0.05)
            assert f"new-{number}" in topics(client)
    other.close()


def test_a_commit_of_this_process_is_seen_at_once(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.response_cache.POLL_SECONDS", 3600.0)
    with serving(seeded.url) as (client, cache):
        for number in range(4):
            assert f"new-{number}" not in topics(client)
            add_topic(cache.database, f"new-{number}")
            assert f"new-{number}" in topics(client)


def test_what_was_overtaken_by_a_commit_is_not_kept(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(seeded.url) as (client, cache):
        usual = listings.read_page

        def overtaken(*all_of_it: Any) -> Any:
            rows = usual(*all_of_it)
            if cache.database.commits == 0:
                add_topic(cache.database, "meanwhile")
            return rows

        monkeypatch.setattr(listings, "read_page", overtaken)
        assert "meanwhile" not in topics(client)
        assert "meanwhile" in topics(client)


def test_another_file_in_its_place_is_seen(seeded: Store) -> None:
    if not seeded.database.inline:
        pytest.skip("a server has no file to be put in another's place")
    # A file can only be moved within a file system.
    path = Path(str(make_url(seeded.url).database))
    copy = path.with_suffix(".copy")
    with serving(seeded.url) as (client, _):
        assert "elsewhere" not in topics(client)
        seeded.database.close()
        shutil.copyfile(path, copy)
        other = connect(f"sqlite:///{copy}")
        add_topic(other, "elsewhere")
        other.close()
        copy.replace(path)
        assert "elsewhere" in topics(client)


def test_it_takes_no_more_room_than_it_may(seeded: Store) -> None:
    with serving(seeded.url, cache_mb=1) as (client, cache):
        for number in range(270):
            assert client.get(
                f"/v1/claims?include=evidence&updated.gte=20{number % 27:02}-01-01"
                f"&limit={number // 27 + 1}",
                headers=PLAIN,
            ).is_success
        assert 2**19 < cache.size <= 2**20
        assert cache.size == sum(kept.size for kept in cache.kept.values())
        assert all(kept.size >= len(kept.body) for kept in cache.kept.values())


def test_who_was_asked_for_least_recently_goes_first(seeded: Store) -> None:
    with serving(seeded.url, cache_mb=1) as (client, cache):
        for number in range(1, 200):
            client.get("/v1/claims?limit=1")
            client.get(f"/v1/evidence?limit={number}", headers=PLAIN)
        paths = {(key[1], key[2]) for key in cache.kept if isinstance(key, tuple)}
        assert (b"/v1/claims", b"limit=1") in paths
        assert (b"/v1/evidence", b"limit=199") in paths or cache.size < 2**20
        assert (b"/v1/evidence", b"limit=1") not in paths


def test_none_is_kept_where_there_is_no_room(seeded: Store, worked: list[str]) -> None:
    with serving(seeded.url, cache_mb=0) as (client, cache):
        for _ in range(3):
            assert client.get("/v1/claims").status_code == 200
        assert (len(worked), len(cache.kept)) == (3, 0)


def test_requests_with_long_headers_leave_nothing_behind(seeded: Store) -> None:
    with serving(seeded.url) as (client, cache):
        client.get("/v1/topics", headers=PLAIN)
        kept, size = len(cache.kept), cache.size
        assert kept == 1
        for number in range(300):
            asked = {**PLAIN, "If-None-Match": f'"{number}{"x" * MOST_VARYING}"'}
            assert client.get("/v1/topics", headers=asked).status_code == 200
        assert (len(cache.kept), cache.size) == (kept, size)


def test_the_headers_of_a_request_count_towards_the_room(seeded: Store) -> None:
    with serving(seeded.url) as (client, cache):
        sizes = []
        for length in (0, 500, 1000):
            asked = {**PLAIN, "If-None-Match": f'"{"x" * length}"'}
            before = cache.size
            assert client.get("/v1/topics", headers=asked).status_code == 200
            sizes.append(cache.size - before)
        assert [larger - smaller for smaller, larger in pairwise(sizes)] == [500, 500]


def test_health_is_never_asked_of_the_database(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(seeded.url) as (client, cache):

        def broken(*_: Any) -> Any:
            raise AssertionError("the database is asked")

        monkeypatch.setattr(cache, "_look", broken)
        monkeypatch.setattr(Database, "read", broken)
        monkeypatch.setattr(Database, "read_inline", broken)
        assert client.get("/healthz").status_code == 200


def test_a_304_varies_as_its_200_does(shared: Store) -> None:
    with serving(shared.url, cache_mb=0) as (client, _):
        for path, encoding in product(
            (*PATHS, "/v1/sources?format=bibtex", "/openapi.json"),
            ("identity", "gzip", "gzip;q=0", "zstd, gzip;q=0.5"),
        ):
            for origin in ({}, {"Origin": "https://app.example"}):
                asked = {"Accept-Encoding": encoding, **origin}
                whole = client.get(path, headers=asked)
                known = {**asked, "If-None-Match": whole.headers["etag"]}
                unchanged = client.get(path, headers=known)
                assert (whole.status_code, unchanged.status_code) == (200, 304)
                for name in ("vary", "etag", "cache-control"):
                    assert unchanged.headers.get(name) == whole.headers.get(name), (
                        name,
                        path,
                        asked,
                    )
                coding = whole.headers.get("content-encoding")
                assert coding is None or f"{coding};q=0" not in encoding.split(",")
