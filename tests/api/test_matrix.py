"""The evidence matrix: claims by sources, with the ranks that the explanations tell."""

import csv
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.routes import matrix
from models.status.matrix import MatrixCell
from tests.api.requests import all_claims, get_json, problem

PLACE = "/v1/claims/ccsvi-causes-ms/matrix"
# What an explanation tells of a line, too.
SHARED = (
    *("id", "source", "citation", "year", "published", "direction", "level", "directness", "rank"),
    *("grading", "part", "study_design", "independence_group", "work"),
)


def rows_of_all_pages(client: TestClient, path: str) -> list[Any]:
    found, cursor = [], ""
    while True:
        page = get_json(client, f"{path}{cursor}")
        assert page["data"]
        found += page["data"]
        if page["page"]["next"] is None:
            return found
        cursor = f"&cursor={page['page']['next']}"


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def cell_text(value: Any) -> str:
    return "" if value is None else str(value)


@pytest.mark.parametrize("time", ["", "?as_of=2012-12-31"])
def test_a_cell_is_what_the_explanation_tells_of_the_line(client: TestClient, time: str) -> None:
    ranked = 0
    for claim in all_claims(client):
        answer = client.get(f"/v1/claims/{claim['id']}/matrix{time}")
        explained = client.get(f"/v1/claims/{claim['id']}/explanation{time}")
        assert answer.status_code == explained.status_code
        if answer.status_code == 404:
            assert problem(answer)["code"] == problem(explained)["code"] == "not_yet_stated"
            continue
        row, told = answer.json(), explained.json()
        assert [row[name] for name in ("status", "certainty")] == [
            told["status"],
            told["certainty"],
        ]
        lines = [line for line in told["lines"] if line["part"] not in ("later", "not_accepted")]
        assert [{name: cell[name] for name in SHARED} for cell in row["cells"]] == [
            {name: line[name] for name in SHARED} for line in lines
        ]
        ranked += len(lines)
    assert ranked > 50


@pytest.mark.parametrize("filters", ["topic=iron", "kind=mechanism&as_of=2012-12-31", "q=vein"])
def test_a_row_of_a_list_is_that_of_the_claim(client: TestClient, filters: str) -> None:
    claims = get_json(client, f"/v1/claims?{filters}&limit=200&fields=id")["data"]
    rows = rows_of_all_pages(client, f"/v1/matrix?{filters}&limit=3")
    assert len(rows) > 2
    assert [row["claim"] for row in rows] == [claim["id"] for claim in claims]
    (day,) = [f"?{part}" for part in filters.split("&") if "as_of" in part] or [""]
    for row in rows:
        alone = get_json(client, f"/v1/claims/{row['claim']}/matrix{day}")
        assert alone == {**row, "notice": alone["notice"]}
    whole = client.get(f"/v1/matrix?{filters}&format=jsonl").text.splitlines()
    assert len(whole) == len(rows)


def test_a_table_holds_the_same_cells(client: TestClient) -> None:
    rows = rows_of_all_pages(client, "/v1/matrix?limit=200")
    answer = client.get("/v1/matrix", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="matrix.csv"'
    wanted = []
    for row in rows:
        claim = {name: cell_text(row[name]) for name in row if name != "cells"}
        empty = dict.fromkeys(MatrixCell.model_fields)
        for cell in row["cells"] or [empty]:
            wanted.append({**claim, **{name: cell_text(value) for name, value in cell.items()}})
    assert table(answer.text) == wanted
    assert any(not row["cells"] for row in rows), "a claim without evidence keeps its row"
    one = client.get(f"{PLACE}?format=csv")
    assert one.headers["content-disposition"] == (
        'attachment; filename="ccsvi-causes-ms-matrix.csv"'
    )
    assert table(one.text) == [row for row in wanted if row["claim"] == "ccsvi-causes-ms"]


def test_a_page_with_much_evidence_ends_early(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "/v1/matrix?limit=200&sort=-evidence_count"
    whole = get_json(client, address)
    assert whole["page"]["next"] is None
    monkeypatch.setattr(matrix, "MOST_EVIDENCE_BYTES", 20_000)
    # Otherwise the kept answer would be given again.
    first = get_json(client, f"{address}&count=exact")
    assert 1 <= len(first["data"]) < len(whole["data"])
    assert first["page"]["count"] == len(whole["data"])
    assert rows_of_all_pages(client, f"{address}&count=exact") == whole["data"]


def test_it_is_asked_like_other_reads(client: TestClient) -> None:
    for path in (PLACE, "/v1/matrix?topic=iron"):
        for media_type in ("application/json", "text/csv"):
            answer = client.get(path, headers={"Accept": media_type})
            assert "Accept" in answer.headers["vary"]
            tag = {"Accept": media_type, "If-None-Match": answer.headers["etag"]}
            assert client.get(path, headers=tag).status_code == 304
        assert client.get(path, headers={"Accept": "text/html"}).status_code == 406
    tags = {
        client.get(PLACE, headers={"Accept": accept}).headers["etag"]
        for accept in ("application/json", "text/csv")
    }
    assert len(tags) == 2
    assert problem(client.get("/v1/claims/ccsvi-cause-ms/matrix"))["status"] == 404
    assert problem(client.get("/v1/matrix?topc=iron"))["code"] == "unknown_parameter"
    assert problem(client.get("/v1/matrix?topic=irn"))["status"] == 400
    assert problem(client.get(f"{PLACE}?known_at=2001"))["status"] == 404
    year = get_json(client, "/v1/claims/ccsvi-causes-ms")["created"][:10]
    assert get_json(client, f"{PLACE}?known_at={year}") == get_json(client, PLACE)
