"""What other collections call a record and how they rate it, over HTTP: written, changed, and found
by it.
"""

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from tests.api.curating import CLAIM, NOW, Desk, native
from tests.api.requests import problem

IDS = [{"scheme": "civic", "value": "EID1,2"}, {"scheme": "wikidata", "value": "Q8277"}]
PLACES = {"claim": "/v1/claims", "evidence": "/v1/evidence", "topic": "/v1/topics"}


def found(desk: Desk, path: str, query: str) -> list[str]:
    return [each["id"] for each in desk.must(200, None, "GET", f"{path}?{query}")["data"]]


@pytest.mark.parametrize("kind", PLACES)
def test_a_record_is_found_by_what_others_call_it(kind: str, desk: Desk) -> None:
    record = desk.accepted(kind, "mine", external_ids=IDS)
    desk.accepted(kind, "other", external_ids=[{"scheme": "civic", "value": "EID1"}])
    path = PLACES[kind]
    assert found(desk, path, "external_id=civic:EID1,2") == [record]
    assert found(desk, path, "external_id=wikidata:Q8277&external_id=civic:none") == [record]
    assert len(found(desk, path, "external_id=civic:EID1&external_id=civic:EID1,2")) == 2
    assert found(desk, path, "external_id=civic:eid1,2") == []
    fewer = {"external_ids": IDS[1:]}
    desk.must(200, "cleo", "PATCH", native(kind, record), fewer, If_Match=NOW)
    assert found(desk, path, "external_id=civic:EID1,2") == []
    assert found(desk, path, "external_id=wikidata:Q8277") == [record]


@pytest.mark.parametrize("path", PLACES.values())
def test_a_malformed_external_id_is_told(path: str, client: TestClient) -> None:
    for value in ("civic", "civic:", ":EID1", "Civic:EID1"):
        answer = client.get(f"{path}?external_id={value}")
        assert answer.status_code == 400
        assert problem(answer)["errors"][0]["parameter"] == "external_id"


def test_a_proposal_is_not_found_by_what_others_call_it(desk: Desk) -> None:
    for kind in PLACES:
        desk.propose("anna", kind, "mine", external_ids=IDS)
    for path in PLACES.values():
        assert found(desk, path, "external_id=wikidata:Q8277") == []


def test_a_line_is_found_by_how_others_rate_it(desk: Desk) -> None:
    ratings = [{"scheme": "civic-level", "value": "B"}, {"scheme": "grade", "value": "very low"}]
    line = desk.accepted("evidence", "mine", ratings=ratings)
    assert found(desk, "/v1/evidence", "rating_scheme=grade") == [line]
    assert found(desk, "/v1/evidence", "rating=very+low&rating_scheme=grade,x") == [line]
    assert found(desk, "/v1/evidence", "rating=B&rating_scheme=grade") == []
    assert found(desk, f"/v1/claims/{CLAIM}/evidence", "rating=B") == [line]
    worse: Any = {"ratings": [{"scheme": "grade"}]}
    answer = desk.ask("cleo", "PATCH", f"/v1/evidence/{line}", worse, If_Match=NOW)
    assert (answer.status_code, problem(answer)["errors"][0]["pointer"]) == (
        *(422, "/ratings/0/value"),
    )


def test_a_source_is_found_by_its_trial_and_by_its_uri(desk: Desk) -> None:
    uri = "https://example.org/a,b?c=1"
    identifiers = [
        {"scheme": "nct", "value": "nct01864941", "verification": "verified"},
        {"scheme": "uri", "value": uri, "verification": "verified"},
    ]
    source = desk.accepted("source", "mine", identifiers=identifiers)
    for reference in ("nct:NCT01864941", "NCT:nct01864941", quote(f"uri:{uri}", safe="")):
        assert desk.must(200, None, "GET", f"/v1/sources/{reference}")["id"] == source
    line = desk.accepted("evidence", "line", source=source)
    both = f"source={quote(f'uri:{uri}', safe='')},nct:NCT01864941"
    assert found(desk, "/v1/evidence", both) == [line]
    bad = [{"scheme": "nct", "value": "NCT1", "verification": "verified"}]
    answer = desk.ask("cleo", "PATCH", f"/v1/sources/{source}", {"identifiers": bad}, If_Match=NOW)
    assert (answer.status_code, problem(answer)["errors"][0]["code"]) == (
        *(422, "malformed_identifier"),
    )
