"""Tables: the same rows as CSV and as Parquet, what a row has, the data package of a release."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet

from api.settings import ROOT
from api.tables import data_package
from models.core.dates import now
from tests.api.requests import get_json, problem
from tests.command_line import run
from tests.databases import Store

LISTS = {
    "/v1/evidence?level.lte=2": "evidence",
    "/v1/claims?status=refuted": "claims",
    "/v1/claims?as_of=2012&topic=ccsvi": "claims",
    "/v1/claims/sources?status=refuted": "sources",
    "/v1/sources?year=2014": "sources",
    "/v1/matrix?topic=iron": "matrix",
    "/v1/claims/ccsvi-causes-ms/evidence?direction=supports": "evidence",
    f"/v1/claims/ccsvi-causes-ms/evidence?known_at={now()[:10]}&as_of=2012": "evidence",
    "/v1/claims/ccsvi-causes-ms/matrix?as_of=2012": "matrix",
    "/v1/claims/ccsvi-causes-ms/timeline?bom=": "timeline",
}


def all_pages(client: TestClient, path: str) -> list[Any]:
    """Return the records of all pages of a list."""
    found: list[Any] = []
    page = get_json(client, path)
    while True:
        found += page["data"]
        if (cursor := page["page"]["next"]) is None:
            return found
        page = get_json(client, f"{path}&cursor={cursor}")


def rows_of(client: TestClient, path: str) -> list[dict[str, str]]:
    """Return the rows of the CSV at a path."""
    answer = client.get(f"{path}&format=csv")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "-", "@") else text


@pytest.mark.parametrize("path", [path for path in LISTS if "known_at" not in path])
def test_parquet_has_the_rows_of_the_csv_and_says_what_they_are(
    path: str, client: TestClient
) -> None:
    answer = client.get(f"{path}&format=parquet")
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert answer.headers["content-disposition"].endswith('.parquet"')
    found = parquet.read_table(io.BytesIO(answer.content))
    rows = rows_of(client, path)
    assert rows
    (table,) = (each for each in data_package.TABLES if each.name == LISTS[path])
    assert found.column_names == [*table.names] == [*rows[0]]
    for column in table.columns:
        field = found.schema.field(column.name)
        assert field.metadata[b"description"].decode() == column.description
        if column.type == "datetime":
            continue
        values = [as_text(value) for value in found[column.name].to_pylist()]
        assert values == [row[column.name] for row in rows], column.name
        if column.vocabulary is not None:
            assert {*values} <= {"", *column.vocabulary.ids}, column.name


def test_a_row_of_evidence_has_what_a_researcher_wants(client: TestClient) -> None:
    (row,) = [
        row
        for row in rows_of(client, "/v1/evidence?level.lte=2")
        if row["id"] == "ccsvi-causes-ms:cochrane-2019"
    ]
    wanted = {
        "statement": "CCSVI causes MS.",
        "claim_status": "refuted",
        "doi": "10.1002/14651858.cd009903.pub3",
        "year": "2019",
        "level": "1",
        "rank": "2",
        "graded_down": "indirectness",
        "comparator": "sham",
        "effect": "0",
        "bears_on": "claim",
    }
    assert {name: row[name] for name in wanted} == wanted
    assert row["title"].startswith("Percutaneous transluminal angioplasty")


def test_ranks_are_those_of_the_matrix(client: TestClient) -> None:
    cells = get_json(client, "/v1/claims/ccsvi-causes-ms/matrix")["cells"]
    rows = rows_of(client, "/v1/claims/ccsvi-causes-ms/evidence?limit=200")
    assert {row["id"]: int(row["rank"]) for row in rows} == {
        cell["id"]: cell["rank"] for cell in cells
    }


def test_effects_have_rows_and_numbers_of_their_own(client: TestClient) -> None:
    lines = {line["id"]: line["effects"] for line in all_pages(client, "/v1/evidence?limit=200")}
    rows = rows_of(client, "/v1/evidence?limit=200")
    assert any(len(effects) > 1 for effects in lines.values())
    for line, effects in lines.items():
        own = [row for row in rows if row["id"] == line]
        assert [int(row["effect"]) for row in own] == [*range(1, len(effects) + 1)] or [0]
        for row, effect in zip(own, effects, strict=bool(effects)):
            assert row["effect_low"] == as_text(effect["low"])
            assert row["effect_estimate"] == as_text(effect["estimate"])


@pytest.mark.parametrize("path", LISTS)
def test_a_byte_order_mark_is_there_on_request(path: str, client: TestClient) -> None:
    path = path.removesuffix("bom=")
    plain, marked = (client.get(f"{path}&format=csv{more}") for more in ("", "&bom=true"))
    assert marked.content == b"\xef\xbb\xbf" + plain.content
    assert marked.headers["etag"] != plain.headers["etag"]
    assert problem(client.get(f"{path}&bom=true"))["errors"][0]["parameter"] == "bom"


def test_without_pyarrow_the_answer_says_what_to_install(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    # No other test asks this, so that no kept answer is given.
    answer = problem(client.get("/v1/evidence?level=1&direction=supports&format=parquet"))
    assert (answer["status"], answer["code"]) == (501, "missing_extra")
    assert "claimbase[tables]" in answer["detail"]
    assert client.get("/v1/evidence?format=csv").status_code == 200


@pytest.mark.parametrize("query", ["status=refuted", "as_of=2012&topic=ccsvi", "q=vein", "limit=9"])
def test_the_sources_of_claims_are_those_that_they_name(query: str, client: TestClient) -> None:
    claims = all_pages(client, f"/v1/claims?{query}&include=sources")
    day = "2012-12-31" if "as_of" in query else "9999"
    named = {
        source["id"]
        for claim in claims
        for source in claim["sources"]
        if source["published"] <= day
    }
    sources = all_pages(client, f"/v1/claims/sources?{query}")
    assert [source["id"] for source in sources] == sorted(named)
    assert {row["id"] for row in rows_of(client, f"/v1/claims/sources?{query}")} == named


def test_a_release_of_tables_is_as_its_data_package_says(seeded: Store, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    ask = ("export", "--parquet", str(folder))
    done = run(*ask, url=seeded.url)
    assert done.returncode == 0, done.stderr
    package = json.loads((folder / data_package.DESCRIPTOR).read_bytes())
    tables: dict[str, pyarrow.Table] = {}
    for resource in package["resources"]:
        found = tables[resource["name"]] = parquet.read_table(folder / resource["path"])
        schema = resource["schema"]
        assert [field["name"] for field in schema["fields"]] == found.column_names
        assert resource["rows"] == found.num_rows > 0
        keys = [*zip(*(found[name].to_pylist() for name in schema["primaryKey"]), strict=True)]
        assert len({*keys}) == len(keys)
    for resource in package["resources"]:
        for key in resource["schema"].get("foreignKeys", ()):
            (column,), other = key["fields"], key["reference"]["resource"]
            referring = {*tables[resource["name"]][column].to_pylist()} - {None}
            assert referring <= {*tables[other]["id"].to_pylist()}, column
    assert run(*ask, url=seeded.url).returncode == 1, "a release is never altered"
    assert run(*ask, "--collection", "civic", url=seeded.url).returncode == 2


def test_the_codebook_in_the_documents_is_that_of_the_tables() -> None:
    written = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    assert data_package.codebook() in written


def test_the_served_data_package_tells_what_the_csv_tables_have(client: TestClient) -> None:
    package = get_json(client, "/v1/datapackage.json")
    tables: dict[str, list[dict[str, str]]] = {}
    for resource in package["resources"]:
        assert resource["path"].startswith("http://testserver/v1/")
        text = client.get(resource["path"]).text
        rows = tables[resource["name"]] = list(csv.DictReader(io.StringIO(text, newline="")))
        schema = resource["schema"]
        assert [field["name"] for field in schema["fields"]] == [*rows[0]]
        keys = [tuple(row[name] for name in schema.get("primaryKey", row)) for row in rows]
        assert len({*keys}) == len(keys)
        for field in schema["fields"]:
            values = {row[field["name"]] for row in rows}
            constraints = field.get("constraints", {})
            assert not constraints.get("required") or "" not in values
            assert "enum" not in constraints or values <= {"", *constraints["enum"]}
    assert {*tables} == {"claims", "evidence", "sources", "matrix"}
    for resource in package["resources"]:
        for key in resource["schema"].get("foreignKeys", ()):
            (column,), other = key["fields"], key["reference"]["resource"]
            referring = {row[column] for row in tables[resource["name"]]} - {""}
            assert referring <= {row["id"] for row in tables[other]}, column
