"""The benchmark works: each row, small, without bounds on time."""

import gzip
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Table, func, select
from sqlmodel import SQLModel

from benchmarks import asks, figures, load, machine, run, stores
from benchmarks.bench import Bench
from benchmarks.figures import Figure, at_least, at_most
from benchmarks.load import COMPRESSED_FROM, HttpLoad, LoadFailed
from benchmarks.rows import reads
from benchmarks.stores import Postgres
from models.database.connections import connect
from models.projection import integrity_check
from tests.databases import Templates

CLAIMS = 300


# Pages.
FEW = [1]
EVERY = list(range(1, 16))


def test_there_are_fifteen_rows() -> None:
    assert list(run.ROWS) == EVERY


@pytest.mark.parametrize(
    "rows", [pytest.param(FEW, id="few"), pytest.param(EVERY, marks=pytest.mark.slow, id="every")]
)
def test_rows_work(templates: Templates, tmp_path: Path, rows: list[int]) -> None:
    """A small run gives figures for each row, with their bounds, and full results."""
    messages: list[str] = []
    bench = run.run(
        CLAIMS,
        rows,
        messages.append,
        cache=tmp_path,
        postgres=Postgres(templates.server()),
        rounds=1,
        seconds=0.2,
        with_wrk=False,
    )
    row_messages = [message for message in messages if message.startswith("row ")]
    assert [message.split(",")[0] for message in row_messages] == [f"row {row}" for row in rows]
    assert {figure.row for figure in bench.figures} == set(rows)
    assert not bench.broken
    assert all(value > 0 for figure in bench.figures for value in figure.values)
    bounded = {(figure.row, figure.store) for figure in bench.figures if figure.bound}
    growing = {(row, "PostgreSQL") for row in rows if row == 8}
    assert bounded == {(row, "SQLite") for row in rows} | growing

    content, page = run.results(bench, None, 60)
    kept = json.loads(content)
    assert kept["about"]["claims"] == CLAIMS
    assert kept["about"]["machine"]["versions"]["fastapi"] in page
    assert len(kept["figures"]) == len(bench.figures)
    for figure in bench.figures:
        assert f"| {figure.row} | {figure.name} [{figure.unit}] |" in page

    compressed = {title for title in bench.details if title.endswith(", compressed")}
    assert {int(title.split()[0]) for title in compressed} == {1, 2, 3, 4, 6} & {*rows}
    for title in compressed:
        for detail in bench.details[title].values():
            assert detail["accept_encoding"] == reads.COMPRESSED
    # Answers are small when they are compressed, also those that are not the first.
    name = "1 a page of 20 claims with evidence and sources"
    for contender in ("SQLite", "PostgreSQL", "the tutorial way"):
        [plain] = bench.details[name][contender]["rounds"]
        [small] = bench.details[f"{name}, compressed"][contender]["rounds"]
        assert small["kilobytes"] < plain["kilobytes"] / 3


def test_a_copy_holds_the_rows_of_its_original(templates: Templates, tmp_path: Path) -> None:
    """A copied store passes the check, with its index of words."""
    copied = stores.built(
        50, None, tmp_path, Postgres(templates.server()), anew=True, ours_alone=True
    )
    assert list(copied.loadings) == ["SQLite"]
    counts = []
    for url in copied.urls.values():
        database = connect(url)
        with database.read() as connection:
            assert list(integrity_check.check(connection)) == []
            tables = SQLModel.metadata.sorted_tables
            counts.append([_row_count(connection, table) for table in tables])
        database.close()
    assert counts[0] == counts[1]
    assert sum(counts[0]) > 1000


def _row_count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def test_a_bound_is_held_against_the_median() -> None:
    values = [1.0, 30.0, 2.0]
    assert Figure(1, "", "SQLite", "×", values, at_least(2)).verdict == "reached"
    assert Figure(1, "", "SQLite", "×", values, at_least(2.1)).verdict == "MISSED"
    assert Figure(1, "", "SQLite", "×", values, at_most(2)).verdict == "reached"
    assert Figure(1, "", "SQLite", "×", values, at_most(1.9)).verdict == "MISSED"
    assert Figure(1, "", "PostgreSQL", "×", values).verdict == ""


def test_the_table_has_both_stores_on_one_line() -> None:
    both = [
        Figure(8, "one claim", "SQLite", "×", [1.2], at_most(1.3)),
        Figure(8, "one claim", "PostgreSQL", "×", [1.4, 1.5], at_most(1.3)),
        Figure(1, "a page", "SQLite", "×", [150.0]),
    ]
    assert figures.table(both).splitlines()[2:] == [
        "| 1 | a page [×] |  | 150 |  |  |  |",
        "| 8 | one claim [×] | ≤ 1.3 | 1.2 | reached | 1.45 (1.4–1.5) | MISSED |",
    ]


def test_a_cursor_goes_on_after_another_claim(client: TestClient) -> None:
    """The cursors that the benchmark makes are those of the API."""
    first = client.get("/v1/claims?limit=1").json()
    second = client.get("/v1/claims", params={"limit": 1, "cursor": first["page"]["next"]}).json()
    assert (
        asks.cursor_after(first["page"]["next"], second["data"][0]["id"]) == second["page"]["next"]
    )


class Handler(BaseHTTPRequestHandler):
    """Answers by the path: /ok, /missing with 404, /gzip compressed, /large without compression;
    anything else is an error."""

    protocol_version = "HTTP/1.1"
    paths: ClassVar[list[str]] = []
    accept_encodings: ClassVar[set[str | None]] = set()

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.accept_encodings.add(self.headers["Accept-Encoding"])
        name = self.path.split("/")[1]
        content = b"{}" if name != "large" else b" " * COMPRESSED_FROM
        self.send_response({"ok": 200, "gzip": 200, "large": 200, "missing": 404}.get(name, 500))
        if name == "gzip":
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def base() -> Iterator[str]:
    """Give the address of a small server."""
    Handler.paths.clear()
    Handler.accept_encodings.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


WRK = pytest.param(
    True,
    marks=pytest.mark.skipif(not load.has_wrk(), reason=load.WRK_MISSING),
    id="wrk",
)
both_clients = pytest.mark.parametrize("with_wrk", [WRK, pytest.param(False, id="python")])


@both_clients
def test_paths_are_requested_in_turn_and_on_from_where_the_last_drive_ended(
    base: str, tmp_path: Path, with_wrk: bool
) -> None:
    paths = [f"/ok/{position}" for position in range(100_000)]
    driven = HttpLoad(base, paths, tmp_path / "paths.txt", with_wrk, connections=2)
    for _ in range(2):
        sample = driven.drive(0.2)
        assert sample.rate > 0
        assert 0 < sample.p50 <= sample.p99
    # Requests that were under way at the end of a drive are not counted.
    least = len(Handler.paths) - 2 * driven.connections
    assert least <= driven.position <= len(Handler.paths)
    assert len(set(Handler.paths)) >= least


@both_clients
def test_an_error_ends_the_run(base: str, tmp_path: Path, with_wrk: bool) -> None:
    driven = HttpLoad(base, ["/bad"], tmp_path / "paths.txt", with_wrk)
    with pytest.raises(LoadFailed, match="bad.*status" if with_wrk else "bad"):
        driven.drive(0.1)
    with pytest.raises(LoadFailed, match="500"):
        driven.first_answer()


@both_clients
def test_an_expected_status_is_no_error_but_another_one_is(
    base: str, tmp_path: Path, with_wrk: bool
) -> None:
    driven = HttpLoad(base, ["/missing"], tmp_path / "paths.txt", with_wrk, status=404)
    assert driven.first_answer() == b"{}"
    assert driven.drive(0.1).rate > 0
    for path, status in (("/ok", 404), ("/bad", 404), ("/missing", 200)):
        other = HttpLoad(base, [path], tmp_path / "paths.txt", with_wrk, status=status)
        with pytest.raises(LoadFailed, match=path):
            other.drive(0.1)


@both_clients
@pytest.mark.parametrize("accept_encoding", ["", reads.COMPRESSED], ids=["plain", "compressed"])
def test_every_request_says_which_compression_the_client_takes(
    base: str, tmp_path: Path, with_wrk: bool, accept_encoding: str
) -> None:
    driven = HttpLoad(
        base, ["/ok"], tmp_path / "paths.txt", with_wrk, accept_encoding=accept_encoding
    )
    driven.drive(0.1)
    # Without one wrk sends no such header, and Python says `identity`.
    plain = None if with_wrk else "identity"
    assert Handler.accept_encodings == {accept_encoding or plain}


def test_a_first_answer_is_compressed_exactly_for_clients_that_take_it_so(
    base: str, tmp_path: Path
) -> None:
    def first_answer(path: str, accept_encoding: str) -> bytes:
        driven = HttpLoad(base, [path], tmp_path / "paths.txt", accept_encoding=accept_encoding)
        return driven.first_answer()

    assert first_answer("/gzip", reads.COMPRESSED) == b"{}"
    assert first_answer("/ok", reads.COMPRESSED) == b"{}"
    assert first_answer("/large", "") == b" " * COMPRESSED_FROM
    with pytest.raises(LoadFailed, match="/large is not compressed"):
        first_answer("/large", reads.COMPRESSED)
    with pytest.raises(LoadFailed, match="/gzip is compressed as gzip"):
        first_answer("/gzip", "")


def test_a_row_that_breaks_off_leaves_the_others_and_is_told(
    templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Bench) -> None:
        raise LoadFailed("/v1/claims: failed {'status': 1}, 94 answered")

    def good(bench: Bench) -> None:
        bench.add(Figure(2, "good", "SQLite", "×", [1]))

    monkeypatch.setattr(run, "ROWS", {1: broken, 2: good})
    monkeypatch.setattr(stores, "built", lambda *_, **__: None)
    bench = run.run(
        CLAIMS,
        [1, 2],
        lambda _: None,
        cache=tmp_path,
        postgres=Postgres(templates.server()),
        rounds=1,
        seconds=0.2,
    )
    assert bench.broken == [1]
    assert [figure.row for figure in bench.figures] == [2]
    _, page = run.results(bench, None, 60)
    assert "- Row 1 broke off: /v1/claims: failed {'status': 1}, 94 answered" in page


def test_the_processor_time_of_a_process_is_counted() -> None:
    before = machine.cpu_seconds([os.getpid()])[os.getpid()]
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    used = machine.cpu_seconds([os.getpid()])[os.getpid()] - before
    assert 0.08 <= used <= 2
