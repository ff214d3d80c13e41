"""Lists whole, as lines of JSON: the same records as on the pages, in the same order, whatever the
limit.
"""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http import list_formats
from api.main import create_app
from api.settings import Settings
from models.records.claim import ClaimIn
from models.records.source import SourceIn
from models.write import changes
from tests.api.requests import get_json
from tests.databases import SEEDED, Store

JSONL = {"Accept": "application/jsonl"}


def lines(client: TestClient, path: str, **headers: str) -> list[Any]:
    """Return the records of a list that is asked for as lines."""
    answer = client.get(path, headers=JSONL | headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jsonl"), (
        answer.text
    )
    assert not answer.content or answer.content.endswith(b"\n")
    return [json.loads(line) for line in answer.content.splitlines()]


def paged(client: TestClient, path: str) -> list[Any]:
    """Return the records of all pages of a list."""
    found, cursor = [], ""
    while True:
        page = get_json(client, f"{path}{'&' if '?' in path else '?'}limit=7{cursor}")
        found += page["data"]
        if page["page"]["next"] is None:
            return found
        cursor = f"&cursor={page['page']['next']}"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/claims",
        "/v1/claims?include=evidence,sources&sort=-evidence_count",
        "/v1/claims?fields=id,status,occurrences&topic=causation",
        "/v1/claims?as_of=2010&include=evidence&sort=status",
        "/v1/claims?kind=evaluation&status=established",
        "/v1/sources?sort=-published",
        "/v1/sources?author=zamboni",
        "/v1/sources/singh-2009/claims?include=evidence",
        "/v1/evidence?sort=level",
        "/v1/evidence?direction=disputes&level.lte=2",
    ],
)
def test_lines_are_the_records_of_all_pages(path: str, client: TestClient) -> None:
    wanted = paged(client, path)
    assert lines(client, path) == wanted
    assert [
        json.loads(line)
        for line in client.get(f"{path}{'&' if '?' in path else '?'}format=jsonl").text.splitlines()
    ] == wanted


def test_they_do_not_end_with_a_batch(empty: Store) -> None:
    number = list_formats.BATCH * 2
    with changes.begin(empty.database, actor="ada") as change:
        for place in range(number):
            source = {
                "id": f"s-{place}",
                "type": "book",
                "title": f"Title {place}",
                "study_design": "not_recorded",
            }
            changes.put_source(change, SourceIn.model_validate(source))
            claim = {
                "id": f"c-{place}",
                "statement": f"Statement {place}.",
                "kind": "finding",
                "topics": [],
            }
            changes.put_claim(change, ClaimIn.model_validate(claim))
    with TestClient(create_app(Settings(database_url=empty.url))) as client:
        for path in ("/v1/sources?limit=3&sort=-updated", "/v1/claims?limit=3&sort=-status"):
            ids = [record["id"] for record in lines(client, path)]
            assert len(ids) == len(set(ids)) == number, path
        assert lines(client, "/v1/evidence") == []


@pytest.mark.parametrize("name", ["claims", "sources", "evidence"])
def test_they_have_a_tag_and_a_file_name_of_their_own(name: str, client: TestClient) -> None:
    answer = client.get(f"/v1/{name}", headers=JSONL)
    etag = answer.headers["etag"]
    assert etag == f'W/"s{SEEDED}-jsonl"'
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.jsonl"'
    assert "Accept" in answer.headers["vary"]
    again = client.get(f"/v1/{name}", headers=JSONL | {"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"/v1/{name}", headers={"If-None-Match": etag}).status_code == 200


def test_what_fits_best_is_sent(client: TestClient) -> None:
    for accept, sent in (
        ("application/x-ndjson", "application/jsonl"),
        ("application/jsonl;q=0.5, application/json", "application/json"),
        ("application/jsonl, application/json;q=0.9", "application/jsonl"),
        ("*/*", "application/json"),
    ):
        for name in ("claims", "sources", "evidence"):
            assert (
                client.get(f"/v1/{name}", headers={"Accept": accept}).headers["content-type"]
                == sent
            )
    best = client.get(
        "/v1/sources", headers={"Accept": "application/jsonl;q=0.5, application/x-bibtex"}
    )
    assert best.headers["content-type"].startswith("application/x-bibtex")


def test_it_is_offered_for_lists_alone(client: TestClient) -> None:
    for path in ("/v1/evidence", "/v1/claims", "/v1/sources"):
        refused = client.get(path, headers={"Accept": "text/html"})
        assert refused.status_code == 406
        assert "application/jsonl" in refused.json()["errors"][0]["allowed"]
    for path in (
        "/v1/evidence/ccsvi-causes-ms:cochrane-2019",
        "/v1/claims/ccsvi-causes-ms",
        "/v1/sources/doepp-2010",
    ):
        assert client.get(path, headers=JSONL).status_code == 406, path
    assert client.get("/v1/sources/doepp-2010?format=jsonl").json()["code"] == "invalid_parameter"


def test_a_mistake_is_told_before_the_first_line(client: TestClient) -> None:
    for path in ("/v1/claims?topic=caustion", "/v1/evidence?claim=ccsvi-cause-ms"):
        answer = client.get(path, headers=JSONL)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["suggestion"]
    answer = client.get("/v1/claims?include=submitted", headers=JSONL)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert client.get("/v1/evidence?include=submitted&format=jsonl").status_code == 400
