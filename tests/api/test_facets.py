"""Each number of a facet is what the list has with that term as a further filter."""

import pytest
from fastapi.testclient import TestClient

from api.site.lists import CLAIM_FACETS
from models.read.facets import FACETS, OF_LINE
from tests.api.requests import get_json

FILTERS = (
    "",
    "direction=disputes",
    "evidence_level.lte=2",
    "year=2010,2014&direction=disputes",
    "study_design=case_control",
    "topic=ccsvi&direction=supports&study_design=case_control",
    "topic=iron&status.ne=refuted&evidence_level=4",
    "q=vein&direction=disputes",
    "as_of=2012&topic=ccsvi&direction=disputes",
    "as_of=2010&single_group=true",
)
# Terms of these are no values of a filter of the same name where a claim has none.
AS_FILTERS = [name for name in FACETS if name != "asserted_by"]


def count(client: TestClient, query: str) -> int:
    """Return how many claims a list has."""
    counted = get_json(client, f"/v1/claims?{query}&count=exact&limit=1&fields=id")
    return int(counted["page"]["count"])


@pytest.mark.parametrize("filters", FILTERS)
def test_a_term_leads_to_as_many_claims_as_it_says(filters: str, client: TestClient) -> None:
    asked = {pair.partition("=")[0] for pair in filters.split("&")}
    answer = get_json(client, f"/v1/claims/facets?{filters}")
    assert answer["total"] == count(client, filters)
    for name in AS_FILTERS:
        if name in asked:
            continue
        facet = answer["data"][name]
        for term in facet["terms"][:2] + facet["terms"][-1:]:
            query = f"{filters}&{name}={term['term']}".lstrip("&")
            assert count(client, query) == term["count"], query
        having = max((term["count"] for term in facet["terms"]), default=0)
        assert having + facet["missing"] <= answer["total"]


@pytest.mark.parametrize("name", sorted(OF_LINE))
def test_a_field_that_is_filtered_by_is_counted_for_that_line(
    name: str, client: TestClient
) -> None:
    term = get_json(client, f"/v1/claims/facets?by={name}")["data"][name]["terms"][1]
    found = get_json(client, f"/v1/claims/facets?by={name}&{name}={term['term']}")
    assert found["data"][name] == {"terms": [term], "other": 0, "missing": 0}
    assert found["total"] == term["count"]


def test_a_level_that_no_disputing_line_has_is_not_counted(client: TestClient) -> None:
    answer = get_json(client, "/v1/claims/facets?direction=disputes&by=evidence_level")
    assert "5" not in {term["term"] for term in answer["data"]["evidence_level"]["terms"]}
    answer = get_json(client, "/v1/claims/facets?evidence_level.lte=2&by=evidence_level")
    assert {term["term"] for term in answer["data"]["evidence_level"]["terms"]} <= {"1", "2"}


def test_support_of_a_single_group_is_what_the_counts_of_a_claim_say(client: TestClient) -> None:
    for as_of in ("", "&as_of=2010", "&as_of=2014"):
        claims = get_json(client, f"/v1/claims?limit=200&fields=id,counts{as_of}")["data"]
        alone = {each["id"] for each in claims if each["counts"]["groups_supporting"] == 1}
        assert alone
        for value, meant in (("true", alone), ("false", {c["id"] for c in claims} - alone)):
            path = f"/v1/claims?limit=200&fields=id&single_group={value}{as_of}"
            assert {each["id"] for each in get_json(client, path)["data"]} == meant


def test_the_best_level_is_the_field_of_a_claim(client: TestClient) -> None:
    for as_of in ("", "&as_of=2011"):
        path = f"/v1/claims?limit=200&fields=id,best_level,evidence_level{as_of}"
        claims = get_json(client, path)["data"]
        assert all(each["best_level"] == each["evidence_level"] for each in claims)
        for level in ("1", "4", "not_gradable"):
            best = get_json(client, f"{path}&best_level={level}")["data"]
            assert best == [each for each in claims if each["best_level"] == level]
        better = get_json(client, f"{path}&best_level.lte=3")["data"]
        assert better == [each for each in claims if each["best_level"] in ("1", "2", "3")]
        assert better


def test_a_year_is_that_of_a_line_in_each_list(client: TestClient) -> None:
    lines = get_json(client, "/v1/evidence?year=2014&limit=200")["data"]
    assert {line["year"] for line in lines} == {2014}
    claims = get_json(client, "/v1/claims?year=2014&limit=200&include=evidence")["data"]
    assert {each["id"] for each in claims} == {
        line["claim"] for line in lines if line["bears_on"] == "claim"
    }
    sources = get_json(client, "/v1/sources?year=2014&limit=200")["data"]
    assert {source["year"] for source in sources} == {2014}


def test_the_page_counts_what_the_api_counts() -> None:
    assert set(CLAIM_FACETS) <= set(FACETS)
