"""What people type is found: exact labels first, identifiers, authors with years, other spellings,
any of the words where none has all, and misspelt words.
"""

import pytest
from fastapi.testclient import TestClient

from models.read import search_results
from tests.api.curating import Desk
from tests.api.requests import Record, get_json, ids_of_all_pages, problem


def search(client: TestClient, path: str, q: str, **more: str) -> Record:
    answer = client.get(path, params={"q": q, "limit": 200, **more})
    assert answer.status_code == 200, answer.text
    found: Record = answer.json()
    return found


def found(client: TestClient, path: str, q: str, **more: str) -> list[str]:
    return [record["id"] for record in search(client, path, q, **more)["data"]]


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("CCSVI causes MS", "ccsvi-causes-ms"),
        ("does CCSVI cause MS?", "ccsvi-causes-ms"),
        ("Blocked neck veins are the cause of multiple sclerosis", "ccsvi-causes-ms"),
        ("chronic cerebrospinal venous insufficiency causes multiple sclerosis", "ccsvi-causes-ms"),
        ("MS is an autoimmune disease.", "ms-is-autoimmune"),
        ("liberation therapy dangerous", "opening-veins-harms-some"),
        ("opening veins", "opening-veins-helps-ms"),
        ("32-fold", "infection-triggers-ms"),
    ],
)
def test_the_claim_that_is_meant_comes_first(q: str, first: str, client: TestClient) -> None:
    assert found(client, "/v1/claims", q)[0] == first


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("Zamboni et al. 2009", {"zamboni-2009-jnnp", "zamboni-2009-jvs", "zamboni-2009-cnr"}),
        ("zamboni 2009", {"zamboni-2009-jnnp", "zamboni-2009-jvs", "zamboni-2009-cnr"}),
        ("10.1016/S0140-6736(13)61747-X", {"traboulsee-2014"}),
        ("https://doi.org/10.1016/s0140-6736(13)61747-x", {"traboulsee-2014"}),
        ("PMID: 24119384", {"traboulsee-2014"}),
        ("24119384", {"traboulsee-2014"}),
        ("lancet 2014 traboulsee", {"traboulsee-2014"}),
    ],
)
def test_the_source_that_is_meant_comes_first(q: str, first: set[str], client: TestClient) -> None:
    assert set(found(client, "/v1/sources", q)[: len(first)]) == first


def test_every_source_is_found_by_its_citation_and_first(client: TestClient) -> None:
    sources = get_json(client, "/v1/sources?limit=200")["data"]
    for source in sources:
        alike = {each["id"] for each in sources if each["citation"] == source["citation"]}
        assert set(found(client, "/v1/sources", source["citation"])[: len(alike)]) == alike


def test_a_citation_is_suggested_while_it_is_typed(client: TestClient) -> None:
    for typed in ("Zamboni et al. 2009", "zamboni et al"):
        suggested = client.get("/v1/suggest", params={"q": typed}).json()["data"]
        assert "zamboni-2009-jnnp" in [each["id"] for each in suggested]


def test_claims_are_found_by_what_their_evidence_cites(client: TestClient) -> None:
    by_doi = found(client, "/v1/claims", "10.1016/S0140-6736(13)61747-X")
    citing = get_json(client, "/v1/sources/traboulsee-2014/claims?limit=200")["data"]
    assert by_doi
    assert set(by_doi) <= {claim["id"] for claim in citing}
    assert found(client, "/v1/claims", "Traboulsee et al. 2014")[0] in by_doi


def test_an_empty_search_is_none(client: TestClient) -> None:
    for path in ("claims", "sources", "evidence"):
        everything = get_json(client, f"/v1/{path}?count=exact")
        for q in ("", "%20"):
            query = f"/v1/{path}?q={q}&count=exact"
            assert get_json(client, query)["page"]["count"] == everything["page"]["count"]


def test_the_last_word_may_be_half_a_word(client: TestClient) -> None:
    answer = search(client, "/v1/claims", "zamb")
    assert "zamboni-first-described-ccsvi" in [claim["id"] for claim in answer["data"]]
    assert (answer["page"]["search"]["match"], answer["page"]["search"]["beginning"]) == (
        "all",
        True,
    )
    whole = search(client, "/v1/claims", "zamboni")["page"]["search"]
    assert whole["beginning"] is False
    assert search(client, "/v1/claims", "zamb", match="all")["data"] == []


def test_any_word_will_do_where_no_record_has_all(client: TestClient) -> None:
    q = "iron zebrafish"
    answer = search(client, "/v1/claims", q, count="exact")
    assert answer["page"]["search"]["match"] == "any"
    assert {record["id"] for record in answer["data"]} == set(found(client, "/v1/claims", "iron"))
    counted = get_json(client, f"/v1/claims/facets?q={q}&by=kind")
    assert counted["total"] == answer["page"]["count"] == len(answer["data"])
    assert counted["search"]["match"] == "any"
    assert found(client, "/v1/claims", q, match="all") == []
    both = set(found(client, "/v1/claims", "iron reflux", match="any"))
    assert both == set(found(client, "/v1/claims", "iron")) | set(
        found(client, "/v1/claims", "reflux")
    )
    assert search(client, "/v1/claims", "iron reflux")["page"]["search"]["match"] == "all"
    refused = problem(client.get("/v1/claims?match=any"))
    assert refused["errors"][0]["code"] == "needs_q"


def test_misspelt_words_are_corrected_from_labels(client: TestClient) -> None:
    answer = search(client, "/v1/claims", "autoimune diseese")
    assert answer["page"]["search"]["did_you_mean"] == "autoimmune disease"
    assert search(client, "/v1/claims", "autoimmune")["page"]["search"]["did_you_mean"] is None
    assert search(client, "/v1/claims", "qzxqzx")["page"]["search"]["did_you_mean"] is None


def test_lines_of_evidence_are_searched(client: TestClient) -> None:
    lines = search(client, "/v1/evidence", "sham", highlight="true", direction="disputes")["data"]
    assert lines
    for line in lines:
        assert line["direction"] == "disputes"
        assert any("<mark>" in marked for marked in line["highlight"].values())
    path = "/v1/evidence?q=sham"
    assert ids_of_all_pages(client, f"{path}&limit=3") == found(client, "/v1/evidence", "sham")
    assert search(client, "/v1/claims/opening-veins-helps-ms/evidence", "sham")["data"]
    table = client.get(f"{path}&format=csv")
    assert table.text.count("sham") >= len(found(client, "/v1/evidence", "sham"))


SPELLINGS = {
    "greek": ("TGF-β rises.", "TGFβ falls.", "TGF-beta is flat.", "TGFbeta is odd."),
    "hyphen": ("A follow-up ends.", "No followup began.", "The follow‑up of all."),
    "number": ("IL-6 is high.", "IL6 is low."),
    "name": ("O’Brien said it.", "O'Brien denied it.", "OBrien was silent."),
}


def test_spellings_find_each_other(desk: Desk) -> None:
    slugs = {}
    for name, statements in SPELLINGS.items():
        slugs[name] = {f"{name}-{number}" for number in range(len(statements))}
        for number, statement in enumerate(statements):
            desk.accepted("claim", f"{name}-{number}", statement=statement)
    spelt = {
        "greek": ("TGF-β", "TGFβ", "TGF-beta", "TGFbeta"),
        "hyphen": ("follow-up", "followup", "follow–up"),
        "number": ("IL-6", "IL6", "il‑6"),
        "name": ("O’Brien", "O'Brien", "OBrien"),
    }
    for name, queries in spelt.items():
        for q in queries:
            matches = found(desk.client, "/v1/claims", q)
            assert {slug for slug in matches if slug.startswith(name)} == slugs[name], q
    assert set(found(desk.client, "/v1/claims", "obri*")) == slugs["name"]


def test_what_is_not_ranked_comes_after_by_its_id(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = found(client, "/v1/claims", "iron")
    monkeypatch.setattr(search_results, "MAX_RANKED", 2)
    for limit in (1, 3, 50):
        pages = ids_of_all_pages(client, f"/v1/claims?q=iron&limit={limit}&sort=relevance")
        assert sorted(pages) == sorted(everything)
        assert pages[0] == everything[0], "labels come first, however few are ranked"
    assert sorted(ids_of_all_pages(client, "/v1/claims?q=iron+veins&match=any&limit=4")) == sorted(
        found(client, "/v1/claims", "iron veins", match="any")
    )
    lines = ids_of_all_pages(client, "/v1/evidence?q=sham&limit=4")
    assert len(lines) == len(set(lines)) > 4
