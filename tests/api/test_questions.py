"""Questions that researchers ask of lists: more filters, facets of evidence, many ids at once, what
is left out, and addresses that end with a slash.
"""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.routes.id_lookup import MOST_LOOKED_UP
from api.settings import Settings
from models.core import vocabularies as v
from models.read.facets import EVIDENCE_FACETS, FURTHER_FACETS
from models.records.source import SourceIn
from models.write import changes
from tests.api.requests import all_claims, all_sources, get_json, ids_of_all_pages, problem
from tests.databases import Store

Record = dict[str, Any]


@pytest.fixture(scope="module")
def claims(client: TestClient) -> dict[str, Record]:
    return {claim["id"]: claim for claim in all_claims(client)}


@pytest.fixture(scope="module")
def lines(client: TestClient) -> list[Record]:
    return [
        get_json(client, f"/v1/evidence/{line}")
        for line in ids_of_all_pages(client, "/v1/evidence?limit=200&retracted=any")
    ]


OF_LINES: dict[str, Callable[[Record, Record], bool]] = {
    "published.gte=2014&published.lte=2016-06": lambda line, _claim: (
        "2014" <= line["published"] <= "2016-06-30"
    ),
    "topic=iron,treatment": lambda _, claim: bool({"iron", "treatment"} & {*claim["topics"]}),
    "claim_status=refuted,disputed": lambda _line, claim: (
        claim["status"] in ("refuted", "disputed")
    ),
    "claim_text=CAUSES ms": lambda _line, claim: "causes ms" in claim["statement"].lower(),
    "searched_found_none=true": lambda line, _claim: line["searched_found_none"],
}


@pytest.mark.parametrize("query", OF_LINES)
def test_a_filter_finds_the_lines_that_it_means(
    query: str, client: TestClient, lines: list[Record], claims: dict[str, Record]
) -> None:
    wanted = [line["id"] for line in lines if OF_LINES[query](line, claims[line["claim"]])]
    assert 0 < len(wanted) < len(lines)
    assert ids_of_all_pages(client, f"/v1/evidence?{query}&limit=200") == wanted


@pytest.mark.parametrize("day", ["", "&as_of=2012"])
def test_evidence_by_the_status_of_its_claim_is_of_the_day(day: str, client: TestClient) -> None:
    claims = ids_of_all_pages(client, f"/v1/claims?status=supported&limit=200{day}")
    found = ids_of_all_pages(client, f"/v1/evidence?claim_status=supported&limit=200{day}")
    assert found == ids_of_all_pages(
        client, f"/v1/evidence?claim={','.join(claims)}&limit=200{day}"
    )


@pytest.mark.parametrize("day", ["", "&as_of=2012"])
def test_a_certainty_or_higher(day: str, client: TestClient) -> None:
    for place, least in enumerate(v.CERTAINTIES.ids):
        words = ",".join(v.CERTAINTIES.ids[place:])
        assert ids_of_all_pages(client, f"/v1/claims?certainty.gte={least}&limit=99{day}") == (
            ids_of_all_pages(client, f"/v1/claims?certainty={words}&limit=99{day}")
        )


def test_sources_by_verification_and_by_day(client: TestClient) -> None:
    sources = all_sources(client)
    unverified = [
        source["id"]
        for source in sources
        if any(each["verification"] == "unverified" for each in source["identifiers"])
    ]
    assert unverified
    assert ids_of_all_pages(client, "/v1/sources?verification=unverified&limit=99") == unverified
    late = [source["id"] for source in sources if source["published"] >= "2019-06"]
    assert ids_of_all_pages(client, "/v1/sources?published.gte=2019-06&limit=99") == late


@pytest.mark.parametrize("name", FURTHER_FACETS)
def test_a_further_facet_of_claims_leads_to_as_many_as_it_says(
    name: str, client: TestClient
) -> None:
    for others in ("direction=disputes", "as_of=2012&topic=ccsvi"):
        facet = get_json(client, f"/v1/claims/facets?by={name}&{others}")["data"][name]
        for term in facet["terms"][:3]:
            query = f"{others}&{name}={term['term']}&count=exact&limit=1"
            assert get_json(client, f"/v1/claims?{query}")["page"]["count"] == term["count"]


@pytest.mark.parametrize("others", ["", "topic=iron", "level.lte=3&as_of=2012", "q=vein"])
def test_facets_of_evidence_count_what_the_list_has(others: str, client: TestClient) -> None:
    answer = get_json(client, f"/v1/evidence/facets?{others}")
    listed = get_json(client, f"/v1/evidence?{others}&count=exact&limit=1")
    assert answer["total"] == listed["page"]["count"] > 0
    assert [*answer["data"]] == [*EVIDENCE_FACETS]
    for name, facet in answer["data"].items():
        counts = [term["count"] for term in facet["terms"]]
        assert sum(counts) + facet["other"] + facet["missing"] == answer["total"]
        for term in facet["terms"][:2]:
            query = f"{others}&{name}={term['term']}&count=exact&limit=1"
            assert get_json(client, f"/v1/evidence?{query}")["page"]["count"] == term["count"]


IDS = {
    "/v1/claims": ["ccsvi-full-name", "ccsvi-causes-ms"],
    "/v1/claims?as_of=2012": ["ccsvi-full-name", "ccsvi-causes-ms"],
    "/v1/matrix": ["ccsvi-full-name", "ccsvi-causes-ms"],
    "/v1/evidence": ["ccsvi-causes-ms:doepp-2010", "ccsvi-causes-ms:cochrane-2019"],
    "/v1/topics": ["treatment", "iron"],
    "/v1/sources": ["doepp-2010", "cochrane-2019"],
}


@pytest.mark.parametrize("path", IDS)
def test_records_are_found_by_ids_and_what_is_not_there_is_named(
    path: str, client: TestClient
) -> None:
    wanted, joint = IDS[path], "&" if "?" in path else "?"
    absent = ["no-such-thing", "no-such:thing", "Nonsense!"]
    answer = get_json(client, f"{path}{joint}id={','.join([*wanted, *absent])}")
    name = "claim" if path == "/v1/matrix" else "id"
    assert [record[name] for record in answer["data"]] == sorted(wanted)
    assert answer["not_found"] == absent
    none = get_json(client, f"{path}{joint}id=no-such-thing")
    assert (none["data"], none["not_found"]) == ([], ["no-such-thing"])
    assert "not_found" not in get_json(client, path)


@pytest.mark.parametrize("kind", ["claims", "evidence"])
def test_up_to_a_thousand_ids_by_post(kind: str, client: TestClient) -> None:
    wanted = IDS[f"/v1/{kind}"]
    absent = [f"nothing-{number}" for number in range(MOST_LOOKED_UP - len(wanted) - 1)]
    asked = {"ids": [*wanted, *absent, "?"]}
    answer = client.post(f"/v1/{kind}:lookup", json=asked).json()
    assert answer["not_found"] == [*absent, "?"]
    listed = get_json(client, f"/v1/{kind}?id={','.join(wanted)}")["data"]
    assert answer["data"] == sorted(listed, key=lambda record: wanted.index(record["id"]))
    more = client.post(f"/v1/{kind}:lookup", json={"ids": [*asked["ids"], "b"]})
    assert problem(more)["status"] == 422


def test_lines_from_retracted_sources_are_left_out_as_they_are_of_claims(seeded: Store) -> None:
    line = "ccsvi-causes-ms:cochrane-2019"
    with TestClient(create_app(Settings(database_url=seeded.url))) as client:
        trial = get_json(client, "/v1/sources/cochrane-2019")
        marked = {name: trial[name] for name in SourceIn.model_fields}
        marked |= {
            "integrity": "retracted",
            "integrity_note": "For this test.",
            "integrity_date": "2021-03-01",
        }
        with changes.begin(seeded.database, actor="ada") as change:
            changes.put_source(change, SourceIn.model_validate(marked))

        def found(query: str) -> bool:
            return line in ids_of_all_pages(client, f"/v1/evidence?limit=200{query}")

        assert not found("")
        assert not found("&retracted=false")
        assert found("&retracted=any")
        assert found("&as_of=2020"), "it was not retracted then"
        assert not found("&as_of=2022")
        alone = get_json(client, "/v1/evidence?retracted=true&limit=200")
        assert {each["source"] for each in alone["data"]} == {"cochrane-2019"}
        assert "retracted=any" in get_json(client, "/v1/evidence")["left_out"]
        assert "left_out" not in alone
        levels = [
            get_json(client, f"/v1/evidence/facets?by=level{more}")["total"]
            for more in ("", "&retracted=any", "&retracted=true")
        ]
        assert levels[0] + levels[2] == levels[1]
        own = get_json(client, "/v1/claims/ccsvi-causes-ms/evidence?limit=200")["data"]
        assert line in [each["id"] for each in own], "on one claim it is shown, and marked"
        assert line not in client.get("/v1/evidence?format=csv").text
        for level, day in itertools.product("123", ("", "&as_of=2020", "&as_of=2022")):
            both = f"limit=200{day}"
            lines = ids_of_all_pages(client, f"/v1/evidence?level={level}&bears_on=claim&{both}")
            claims = ids_of_all_pages(client, f"/v1/claims?evidence_level={level}&{both}")
            assert {line.partition(":")[0] for line in lines} == {*claims}, (level, day)
            # The trial is the one source of this level.
            assert bool(claims) == (level != "1" or day == "&as_of=2020")


@pytest.mark.parametrize(
    ("asked", "address"),
    [
        ("/v1/claims/", "/v1/claims"),
        ("/v1/claims/?status=refuted&limit=2", "/v1/claims?status=refuted&limit=2"),
        ("/v1/claims/ccsvi-causes-ms/", "/v1/claims/ccsvi-causes-ms"),
        ("/v1/sources/10.1002/ana.22085/", "/v1/sources/10.1002/ana.22085"),
        ("/v1/claims///", "/v1/claims"),
    ],
)
def test_a_slash_at_the_end_is_led_on(asked: str, address: str, client: TestClient) -> None:
    answer = client.get(asked, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, address)
    assert client.get(asked).status_code == 200


@pytest.mark.parametrize("path", ["/v1/nothing/", "//example.org/", "/v1/claims/no-such-claim/"])
def test_a_slash_leads_to_no_other_host_and_to_nothing(path: str, client: TestClient) -> None:
    answer = client.get(f"http://testserver{path}", follow_redirects=False)
    assert answer.status_code == 404 or answer.headers["location"] == path.rstrip("/")
    assert not answer.headers.get("location", "").startswith("//")
