"""The benchmark works: each row, small, without bounds on time."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlmodel import SQLModel

from benchmarks import asks, figures, load, run, stores
from benchmarks.figures import Figure, at_least, at_most
from benchmarks.load import Ask, LoadFailed
from benchmarks.stores import Postgres
from models.database.connections import connect
from models.projection import integrity_check
from tests.databases import Templates

CLAIMS = 300


def test_every_row_works(templates: Templates, tmp_path: Path) -> None:
    """A small run of all rows gives figures for each, with their bounds, and results that hold all of them."""
    told: list[str] = []
    postgres = Postgres(templates.server())
    rows = list(run.ROWS)
    bench = run.run(
        CLAIMS,
        rows,
        told.append,
        cache=tmp_path,
        postgres=postgres,
        rounds=1,
        seconds=0.2,
        with_wrk=False,
    )
    assert rows == list(range(1, 13))
    assert [line.split(",")[0] for line in told if line.startswith("row ")] == [
        f"row {row}" for row in rows
    ]
    measured = set(rows)
    assert {figure.row for figure in bench.figures} == measured
    assert all(value > 0 for figure in bench.figures for value in figure.values)
    bounded = {(figure.row, figure.store) for figure in bench.figures if figure.bound}
    assert bounded == {*((row, "SQLite") for row in measured), (8, "PostgreSQL")}

    content, page = run.results(bench, None, 60)
    kept = json.loads(content)
    assert kept["about"]["claims"] == CLAIMS
    assert kept["about"]["machine"]["versions"]["fastapi"] in page
    assert len(kept["figures"]) == len(bench.figures)
    for figure in bench.figures:
        assert f"| {figure.row} | {figure.what} [{figure.unit}] |" in page


def test_a_copy_holds_what_its_original_does(templates: Templates, tmp_path: Path) -> None:
    """What is copied instead of loaded passes the check, index of words and all."""
    made = stores.built(
        50, None, tmp_path, Postgres(templates.server()), anew=True, ours_alone=True
    )
    assert list(made.loads) == ["SQLite"]
    counts = []
    for url in made.urls.values():
        database = connect(url)
        with database.read() as connection:
            assert list(integrity_check.check(connection)) == []
            counts.append(
                [
                    connection.scalar(select(func.count()).select_from(each))
                    for each in SQLModel.metadata.sorted_tables
                ]
            )
        database.close()
    assert counts[0] == counts[1]
    assert sum(found or 0 for found in counts[0]) > 1000


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
    """The benchmark makes cursors of one that it was given; what it makes must be what the API would have given."""
    first = client.get("/v1/claims?limit=1").json()
    second = client.get("/v1/claims", params={"limit": 1, "cursor": first["page"]["next"]}).json()
    assert asks.after(first["page"]["next"], second["data"][0]["id"]) == second["page"]["next"]


class Answers(BaseHTTPRequestHandler):
    """Answers well where the path says so, else with an error."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if self.path.startswith("/well") else 500)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def base() -> Iterator[str]:
    """Give the address of a small server."""
    Answers.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


WRK = pytest.param(
    True, marks=pytest.mark.skipif(not load.has_wrk(), reason=load.WRK_MISSING), id="wrk"
)


@pytest.mark.parametrize("with_wrk", [WRK, pytest.param(False, id="python")])
def test_addresses_are_asked_in_turn_and_on_from_where_the_last_drive_ended(
    base: str, tmp_path: Path, with_wrk: bool
) -> None:
    paths = [f"/well/{place}" for place in range(100_000)]
    ask = Ask(base, paths, tmp_path / "paths.txt", with_wrk, connections=2)
    for _ in range(2):
        sample = ask.drive(0.2)
        assert sample.rate > 0
        assert 0 < sample.p50 <= sample.p99
    # Requests that were under way at the end of a drive are counted as asked by none.
    assert len(Answers.asked) - 2 * ask.connections <= ask.place <= len(Answers.asked)
    assert len(set(Answers.asked)) >= len(Answers.asked) - 2 * ask.connections


@pytest.mark.parametrize("with_wrk", [WRK, pytest.param(False, id="python")])
def test_an_answer_that_is_an_error_ends_the_run(base: str, tmp_path: Path, with_wrk: bool) -> None:
    ask = Ask(base, ["/badly"], tmp_path / "paths.txt", with_wrk)
    with pytest.raises(LoadFailed, match="badly"):
        ask.drive(0.1)
    with pytest.raises(LoadFailed, match="500"):
        ask.first()
