"""Search over HTTP: whatever is typed is answered, and it goes with filters, facets, pages, evidence time and formats."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.curating import Desk

NASTY = (
    *(
        "",
        "IL-6",
        "(",
        ")",
        '"',
        "NOT",
        "NOT iron",
        "a:b",
        "%",
        "_",
        "*",
        "iron*",
        "^iron",
        "😀",
        "-",
        "--",
        "- iron",
        "''",
    ),
    *("iron AND", "OR", "or or", "NEAR(iron, 2)", "statement:iron", "{", "\\", "<->", "iron & !", "a'b", '"iron', "ﬁ"),
    *("é" * 200, "iron " * 80, "iron\tvein", "多発性硬化症", "٣", "x" * 500),
)


def ids(client: TestClient, path: str, **query: Any) -> list[str]:
    """Return what a list finds, all its pages."""
    found: list[str] = []
    answer = client.get(path, params=query)
    while True:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += [record["id"] for record in body["data"]]
        if body["page"]["next"] is None:
            return found
        answer = client.get(path, params={**query, "cursor": body["page"]["next"]})


@pytest.mark.parametrize("path", ["/v1/claims", "/v1/sources", "/v1/claims/facets", "/v1/suggest"])
def test_nothing_that_is_typed_fails(path: str, client: TestClient) -> None:
    for typed in NASTY:
        answer = client.get(path, params={"q": typed})
        assert answer.status_code == 200, (typed, answer.text)
    for query in ({"q": "x" * 501}, {"q": "\x00"}):
        assert client.get(path, params=query).status_code == 400, query


def test_only_marks_find_nothing(client: TestClient) -> None:
    for typed in ("-", "(", "😀", "or", "-iron"):
        assert ids(client, "/v1/claims", q=typed) == []


def test_words_phrases_without_or_and_synonyms(client: TestClient) -> None:
    iron = set(ids(client, "/v1/claims", q="iron"))
    assert "iron-from-slow-venous-flow" in iron
    assert iron == set(ids(client, "/v1/claims", q="IRONS"))
    reflux = set(ids(client, "/v1/claims", q="reflux"))
    assert set(ids(client, "/v1/claims", q="iron reflux")) == iron & reflux
    assert set(ids(client, "/v1/claims", q="iron or reflux")) == iron | reflux
    assert set(ids(client, "/v1/claims", q="iron -reflux")) == iron - reflux
    phrase = set(ids(client, "/v1/claims", q='"iron deposition"'))
    assert phrase
    assert phrase <= iron
    assert ids(client, "/v1/claims", q='"deposition iron"') == []
    assert set(ids(client, "/v1/claims", q="MS")) == set(ids(client, "/v1/claims", q="multiple sclerosis"))
    assert set(ids(client, "/v1/claims", q="sundstrom")) == set(ids(client, "/v1/claims", q="Sundström")) != set()


def test_it_goes_with_filters_facets_counts_and_time(client: TestClient) -> None:
    disputed = ids(client, "/v1/claims", q="iron", status="disputed")
    assert set(disputed) == set(ids(client, "/v1/claims", q="iron")) & set(ids(client, "/v1/claims", status="disputed"))
    facets = client.get("/v1/claims/facets", params={"q": "iron", "by": "status"}).json()
    counted = {term["term"]: term["count"] for term in facets["data"]["status"]["terms"]}
    assert counted["disputed"] == len(disputed)
    assert facets["total"] == len(ids(client, "/v1/claims", q="iron"))
    page = client.get("/v1/claims", params={"q": "iron", "count": "exact", "limit": 1}).json()
    assert page["page"]["count"] == facets["total"]
    then = client.get("/v1/claims", params={"q": "iron", "as_of": "2010", "fields": "id,status"}).json()["data"]
    plain = client.get("/v1/claims", params={"as_of": "2010", "fields": "id,status"}).json()["data"]
    assert {record["id"] for record in then} <= set(ids(client, "/v1/claims", q="iron"))
    assert [record for record in then if record not in plain] == []
    facets = client.get("/v1/claims/facets", params={"q": "iron", "by": "status", "as_of": "2010"}).json()
    assert facets["total"] == len(then)


@pytest.mark.parametrize("sort", [None, "relevance", "-relevance", "id", "-updated", "status,relevance"])
@pytest.mark.parametrize(
    ("path", "typed"), [("/v1/claims", "ms or iron or vein"), ("/v1/sources", "multiple sclerosis")]
)
def test_pages_show_each_once_and_in_order(path: str, typed: str, sort: str | None, client: TestClient) -> None:
    if path == "/v1/sources" and sort and "status" in sort:
        sort = "published,relevance"
    asked = {"q": typed, **({"sort": sort} if sort else {})}
    whole = ids(client, path, **asked, limit=200)
    assert len(whole) > 10
    assert len(set(whole)) == len(whole)
    for size in (1, 7):
        assert ids(client, path, **asked, limit=size) == whole
    if sort in (None, "relevance"):
        assert whole == ids(client, path, q=typed)


def test_the_best_comes_first(client: TestClient) -> None:
    assert ids(client, "/v1/claims", q="reflux")[0] == "venous-reflux-in-ms"
    assert ids(client, "/v1/sources", q="premise angioplasty")[0] == "siddiqui-2014"


def test_formats_have_what_is_found_in_its_order(client: TestClient) -> None:
    lines = client.get("/v1/claims", params={"q": "reflux", "format": "jsonl", "fields": "id"}).text.splitlines()
    assert [line.split('"')[3] for line in lines] == ids(client, "/v1/claims", q="reflux")
    csv = client.get("/v1/sources", params={"q": "premise angioplasty", "format": "csv"}).text
    assert len(csv.splitlines()) == 1 + len(ids(client, "/v1/sources", q="premise angioplasty"))


def test_what_was_found_is_marked_and_nothing_else_is_markup(client: TestClient) -> None:
    asked = {"q": "reflux", "highlight": "true", "include": "evidence"}
    found = client.get("/v1/claims", params=asked).json()["data"]
    plain = client.get("/v1/claims", params={"q": "reflux", "include": "evidence"}).json()["data"]
    assert [{name: value for name, value in record.items() if name != "highlight"} for record in found] == plain
    assert found[0]["highlight"]["statement"] == "Venous blood flows back (<mark>reflux</mark>)."
    for record in found:
        assert record["highlight"]
        for text in record["highlight"].values():
            assert "<mark>" in text
            assert "<" not in text.replace("<mark>", "").replace("</mark>", "")
    (line,) = client.get("/v1/sources", params={"q": "premise angioplasty", "highlight": "true"}).json()["data"]
    assert "<mark>PREMiSe</mark>" in line["highlight"]["title"]


def test_relevance_and_marks_need_a_search(client: TestClient) -> None:
    for path in ("/v1/claims", "/v1/sources"):
        for query in ({"sort": "relevance"}, {"highlight": "true"}):
            answer = client.get(path, params=query)
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["code"] == "needs_q"


def test_suggestions(client: TestClient) -> None:
    def suggested(**query: str) -> list[tuple[str, str]]:
        data = client.get("/v1/suggest", params=query).json()["data"]
        assert len(data) <= 10
        return [(each["kind"], each["id"]) for each in data]

    assert ("source", "sundstrom-2010") in suggested(q="sundst")
    assert ("claim", "venous-reflux-in-ms") in suggested(q="Venous bl")
    assert all(kind == "topic" for kind, _ in suggested(q="tre", kind="topic"))
    assert suggested(q="zzz") == suggested(q="-") == []
    assert len(suggested(q="v")) == 10


def test_only_what_is_accepted_is_found(desk: Desk) -> None:
    def found(typed: str) -> list[str]:
        return [claim["id"] for claim in desk.must(200, None, "GET", f"/v1/claims?q={typed}&fields=id")["data"]]

    desk.propose("anna", "claim", "okapi-claim", statement="Okapis sleep.")
    assert found("okapi") == []
    desk.accept("claim", "okapi-claim")
    assert found("okapi") == ["okapi-claim"]
    desk.accepted("claim", "zebra-claim", statement="Zebras sleep.")
    desk.merge("claim", "okapi-claim", "zebra-claim")
    assert found("okapi") == []
    assert found("zebra") == ["zebra-claim"]
    desk.retract("claim", "zebra-claim")
    assert found("zebra") == []
