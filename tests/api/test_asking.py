"""What is asked of lists: empty parameters, parameters of lists at one record, what comes last in
an order, names by a part, tables.
"""

import csv
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.tables.claims import TABLE
from models.projection.tables import NO_LEVEL
from models.status.claim_aggregate import PARTS
from tests.api.curating import Desk
from tests.api.requests import get_json

PATHS = ("/v1/claims", "/v1/claims/facets", "/v1/evidence", "/v1/sources", "/v1/topics")


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_parameter_is_as_if_it_was_not_given(path: str, client: TestClient) -> None:
    """Forms send every field; an empty cursor is the first page, an empty `q` no search."""
    operation = client.get("/openapi.json").json()["paths"][path]["get"]
    names = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
    assert names
    whole = get_json(client, path)
    assert get_json(client, f"{path}?{'&'.join(f'{name}=' for name in names)}") == whole
    for name in names:
        assert get_json(client, f"{path}?{name}=") == whole, name
        assert get_json(client, f"{path}?{name}=&{name}=%20+") == whole, name


def test_an_empty_value_among_others_is_none(client: TestClient) -> None:
    meant = get_json(client, "/v1/claims?status=refuted,disputed")
    for query in ("status=refuted,,disputed,", "status=&status=refuted&status=disputed"):
        assert get_json(client, f"/v1/claims?{query}") == meant


def test_an_empty_parameter_of_one_record_and_of_a_change_is_none(
    client: TestClient, desk: Desk
) -> None:
    one = get_json(client, "/v1/claims/ccsvi-causes-ms")
    assert get_json(client, "/v1/claims/ccsvi-causes-ms?fields=&as_of=&format=&known_at=") == one
    answer = desk.ask("anna", "POST", "/v1/topics?comment=", {"id": "a", "label": "A"})
    assert answer.status_code == 422
    assert "definition" in answer.text


def test_one_claim_takes_what_lists_take(client: TestClient) -> None:
    path = "/v1/claims/ccsvi-causes-ms"
    whole = get_json(client, path)
    assert get_json(client, f"{path}?include={','.join(PARTS)}") == whole
    chosen = get_json(client, f"{path}?fields=id,status&include=relations")
    (listed,) = get_json(
        client,
        "/v1/claims?kind=causal_hypothesis&status=refuted&fields=id,status&include=relations",
    )["data"]
    assert {name: chosen[name] for name in listed} == listed
    then = get_json(client, f"{path}?as_of=2012&fields=id&include=evidence")
    assert [*then] == ["id", "notice", "evidence"]


@pytest.mark.parametrize("path", ["/v1/evidence", "/v1/claims/ccsvi-causes-ms/evidence"])
def test_fields_of_evidence_are_picked(path: str, client: TestClient) -> None:
    whole = get_json(client, f"{path}?limit=5")["data"]
    names = ("level", "id", "citation")
    picked = get_json(client, f"{path}?limit=5&fields={','.join(names)}")
    assert picked["data"] == [{name: line[name] for name in names} for line in whole]
    assert [*picked["data"][0]] == [*names]
    one = get_json(client, f"/v1/evidence/{whole[0]['id']}?fields=id,level")
    assert one == {"id": whole[0]["id"], "level": whole[0]["level"]}
    refused = client.get(f"{path}?fields=levle")
    assert (refused.status_code, "'level'" in refused.text) == (400, True)


def test_fields_of_sources_are_picked(client: TestClient) -> None:
    names = ("year", "id", "authors")
    for path in ("/v1/sources?author=zamboni", "/v1/claims/sources?topic=iron"):
        whole = get_json(client, f"{path}&limit=3")
        picked = get_json(client, f"{path}&limit=3&fields={','.join(names)}")
        assert picked["data"] == [{name: each[name] for name in names} for each in whole["data"]]
        assert [*picked["data"][0]] == [*names]
        # A cursor goes on whatever fields are chosen.
        assert picked["page"] == whole["page"]
    marked = get_json(client, "/v1/sources?q=iron&highlight=true&fields=id&limit=1")["data"][0]
    assert ([*marked], "<mark>" in str(marked)) == (["id", "highlight"], True)
    lines = client.get("/v1/sources?author=zamboni&fields=id&format=jsonl").text.splitlines()
    assert {*lines} >= {'{"id":"zamboni-2006"}'}
    one = get_json(client, "/v1/sources/zamboni-2006?fields=year,id")
    assert one == {"year": 2006, "id": "zamboni-2006"}
    assert "web_page" in get_json(client, "/v1/sources/zamboni-2006")
    refused = client.get("/v1/sources?fields=yaer")
    assert (refused.status_code, "'year'" in refused.text) == (400, True)


def through(client: TestClient, path: str) -> list[dict[str, Any]]:
    """Return the records of all pages of a list."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = get_json(client, f"{path}&limit=7{cursor and f'&cursor={cursor}'}")
        found += page["data"]
        cursor = page["page"]["next"]
    return found


@pytest.mark.parametrize(
    ("path", "sort", "field"),
    [
        ("/v1/claims?fields=id,evidence_level", "evidence_level", "evidence_level"),
        ("/v1/claims?fields=id,best_level", "best_level", "best_level"),
        ("/v1/claims?as_of=2012&fields=id,best_level", "best_level", "best_level"),
        ("/v1/claims?fields=id,certainty", "certainty", "certainty"),
        ("/v1/claims?topic=ccsvi&fields=id,certainty", "certainty", "certainty"),
        ("/v1/evidence?fields=id,sample_size", "sample_size", "sample_size"),
        ("/v1/sources?type=article-journal", "title", "title"),
    ],
)
def test_what_has_no_value_comes_last_upwards_and_downwards(
    path: str, sort: str, field: str, client: TestClient
) -> None:
    upwards = through(client, f"{path}&sort={sort}")
    downwards = through(client, f"{path}&sort=-{sort}")
    assert {each["id"] for each in upwards} == {each["id"] for each in downwards}
    orders = [[each[field] for each in found] for found in (upwards, downwards)]
    known = [[value for value in order if value is not None] for order in orders]
    for order, values in zip(orders, known, strict=True):
        assert order == values + [None] * (len(order) - len(values))
    if field in ("best_level", "evidence_level", "sample_size"):
        assert known[0] == sorted(known[0])
        assert known[1] == sorted(known[1], reverse=True)
        assert len(known[0]) < len(upwards)
    assert NO_LEVEL not in known[0]


def test_a_journal_is_found_by_a_part_of_its_name_whatever_the_case(desk: Desk) -> None:
    desk.accepted("source", "made", container_title="Écoles of 100 % Veins_2")
    found = {
        asked: [
            each["id"]
            for each in desk.must(200, None, "GET", f"/v1/sources?journal={asked}")["data"]
        ]
        for asked in ("lancet", "The%20Lancet", "LANCET", "%C3%A9coles", "100%20%25", "s_2", "s-2")
    }
    assert found["lancet"] == found["LANCET"]
    assert "traboulsee-2014" in found["lancet"]
    assert "traboulsee-2014" in found["The%20Lancet"]
    assert found["%C3%A9coles"] == found["100%20%25"] == found["s_2"] == ["made"]
    # What a pattern of the database would mean is a letter here.
    assert found["s-2"] == []
    (made,) = desk.must(200, None, "GET", "/v1/sources?journal=%25")["data"]
    assert made["id"] == "made"


def test_what_bears_on_a_relation_is_told_from_what_bears_on_the_claim(client: TestClient) -> None:
    path = "/v1/evidence?claim=collaterals-make-abnormal-flow"
    lines = get_json(client, path)["data"]
    by_what = {
        what: get_json(client, f"{path}&bears_on={what}")["data"] for what in ("claim", "relation")
    }
    assert by_what["claim"] == [line for line in lines if line["bears_on"] == "claim"]
    assert by_what["relation"] == [line for line in lines if line["relation_type"] is not None]
    assert by_what["claim"]
    assert by_what["relation"]
    own = get_json(client, "/v1/claims/collaterals-make-abnormal-flow/evidence")["data"]
    assert own == by_what["claim"]


@pytest.mark.parametrize("query", ["status=refuted", "as_of=2012&topic=ccsvi", "q=vein"])
def test_a_table_of_claims_has_a_row_a_claim(query: str, client: TestClient) -> None:
    answer = client.get(f"/v1/claims?{query}&format=csv")
    assert 'filename="claims.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    claims = get_json(client, f"/v1/claims?{query}&limit=200")["data"]
    assert [row["id"] for row in rows] == [claim["id"] for claim in claims]
    assert [*rows[0]] == [*TABLE.names]
    for row, claim in zip(rows, claims, strict=True):
        assert (row["statement"], row["status"]) == (claim["statement"], claim["status"])
        assert row["groups_supporting"] == str(claim["counts"]["groups_supporting"])
        assert row["topics"].split("; ") == claim["topics"]
