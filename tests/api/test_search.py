"""Search over HTTP: with filters, counts, facets, days and pages; whatever is typed; what is
marked; suggestions.
"""

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.settings import ROOT
from models.records.serializers import table
from models.search import index, synonyms, tokenizer
from models.search.query import any_word, parse_query
from tests.api.curating import CLAIM, Desk
from tests.api.requests import (
    Record,
    all_claims,
    all_sources,
    get_json,
    ids,
    ids_of_all_pages,
    problem,
)
from tests.reference_search import ReferenceSearch

SYNONYMS = synonyms.read_synonyms(ROOT / "seed_data")
SOUGHT = (
    *(
        "iron",
        "multiple sclerosis",
        "MS",
        '"multiple sclerosis"',
        "zamboni",
        "Sundstrom",
        "venous -iron",
        "reflux or EBV",
    ),
    *(
        "doppler sonography",
        "CCSVI",
        "chronic cerebrospinal venous insufficiency",
        "no",
        "nobody ever said this",
        "zebrafish",
        "Zamboni et al. 2009",
        "inflam*",
        "10.1136/jnnp.2008.157164",
    ),
)
NASTY = (
    *(
        "IL-6",
        "(",
        ")",
        '"',
        '""',
        "NOT",
        "AND",
        "a:b",
        "title:iron",
        "%",
        "_",
        "*",
        "iron*",
        "^iron",
        "😀",
        "-",
        "--",
        "+",
    ),
    *(
        " ",
        "\t",
        "or",
        "or or",
        "NEAR(a b)",
        "'",
        "\\",
        ";",
        "/*",
        "{title}: a",
        "a & b | !c",
        "<->",
        ":*",
        "­",
        "é",
        "́",
        "1e5",
    ),
    *("-iron", "iron -iron", "0", "𝕀𝕣𝕠𝕟", "i" * 500, "多発性硬化症", "\u202eiron", "iron\nveins"),
)


@pytest.fixture(scope="module")
def claims(client: TestClient) -> list[Record]:
    return all_claims(client)


@pytest.fixture(scope="module")
def sources(client: TestClient) -> list[Record]:
    return all_sources(client)


def refused(answer: Any, code: str) -> Record:
    """Return the problem that an answer must be."""
    body = problem(answer)
    assert (body["status"], body["code"]) == (400, code)
    return body


def of_claims(claims: list[Record], typed: str) -> list[str]:
    """Return which of the whole claims a query means, read off their JSON."""
    return meant(claims, typed, lambda claim: [claim["statement"], *claim["wordings"]], said)


def meant(
    records: list[Record],
    typed: str,
    labels: Callable[[Record], list[str]],
    texts: Callable[[Record], list[str]],
) -> list[str]:
    """Return the records with all words of a query, or else those with any of them."""
    if not typed.strip():
        return [record["id"] for record in records]
    query = parse_query(typed, SYNONYMS)
    for wanted in (query, any_word(query)):
        found = [
            record["id"]
            for record in records
            if ReferenceSearch(labels(record), texts(record)).query(wanted)
        ]
        if found:
            return found
    return []


def said(claim: Record) -> list[str]:
    lines = [*claim["evidence"], *(line for tie in claim["relations"] for line in tie["evidence"])]
    quotes = [row["quote"] for row in (*claim["occurrences"], *lines) if row["quote"]]
    cited = [
        text
        for source in claim["sources"]
        for text in (*names(source), source["container_title"] or "", *people(source))
    ]
    return [*quotes, *(line["finding"] for line in lines), *cited]


def names(source: Record) -> list[str]:
    return [source["title"] or "", source["citation"]]


def people(source: Record) -> list[str]:
    parts = ("given", "particle", "family", "suffix", "literal")
    authors = [
        " ".join(author[part] for part in parts if author[part]) for author in source["authors"]
    ]
    identifiers = [f"{each['scheme']} {each['value']}" for each in source["identifiers"]]
    return [*authors, *identifiers]


def of_sources(sources: list[Record], typed: str) -> list[str]:
    more = ("container_title", "container_title_short", "publisher", "note", "url")

    def texts(source: Record) -> list[str]:
        return [*people(source), *(source[name] or "" for name in more)]

    return meant(sources, typed, names, texts)


@pytest.mark.parametrize("typed", SOUGHT)
def test_what_is_found(
    typed: str, client: TestClient, claims: list[Record], sources: list[Record]
) -> None:
    assert sorted(ids(client, f"/v1/claims?q={quote(typed)}")) == of_claims(claims, typed)
    assert sorted(ids(client, f"/v1/sources?q={quote(typed)}")) == of_sources(sources, typed)


def test_the_queries_above_find_some_and_not_all(
    claims: list[Record], sources: list[Record]
) -> None:
    numbers = [len(of_claims(claims, typed)) for typed in SOUGHT]
    assert 0 in numbers
    assert sum(0 < number < len(claims) for number in numbers) >= 6
    assert sum(0 < len(of_sources(sources, typed)) < len(sources) for typed in SOUGHT) >= 6


@pytest.mark.parametrize("typed", NASTY, ids=range(len(NASTY)))
def test_nothing_that_is_typed_fails(
    typed: str, client: TestClient, claims: list[Record], sources: list[Record]
) -> None:
    # A parameter without a value is none, and then there is nothing to mark.
    marked = {"highlight": "true"} if typed.strip() else {}
    found = client.get("/v1/claims", params={"q": typed, "limit": 200, "count": "exact", **marked})
    assert found.status_code == 200, found.text
    answer = found.json()
    assert sorted(record["id"] for record in answer["data"]) == of_claims(claims, typed)
    assert answer["page"]["count"] == len(answer["data"])
    assert client.get("/v1/claims/facets", params={"q": typed}).json()["total"] == len(
        answer["data"]
    )
    found = client.get("/v1/sources", params={"q": typed, "limit": 200, **marked})
    assert sorted(record["id"] for record in found.json()["data"]) == of_sources(sources, typed)
    assert client.get("/v1/suggest", params={"q": typed}).status_code == 200


@given(st.text(max_size=30))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_text_fails(client: TestClient, claims: list[Record], typed: str) -> None:
    if "\x00" in typed or not typed.strip():
        return
    found = client.get("/v1/claims", params={"q": typed, "limit": 200, "fields": "id"})
    answer = found.json()
    if not answer["page"]["search"]["beginning"]:
        assert sorted(record["id"] for record in answer["data"]) == of_claims(claims, typed)


def test_what_is_too_long_or_no_text_is_told(client: TestClient) -> None:
    refused(client.get("/v1/claims", params={"q": "x" * 501}), "invalid_parameter")
    refused(client.get("/v1/claims?q=%00"), "bad_encoding")
    # Before anything is typed there is nothing to suggest.
    assert get_json(client, "/v1/suggest") == get_json(client, "/v1/suggest?q=") == {"data": []}
    refused(client.get("/v1/suggest?q=a&kind=evidence"), "invalid_parameter")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/claims?sort=relevance",
        "/v1/sources?sort=-relevance",
        "/v1/claims?highlight=true",
        "/v1/evidence?match=any&q=",
    ],
)
def test_relevance_needs_something_to_look_for(path: str, client: TestClient) -> None:
    (fault,) = refused(client.get(path), "invalid_parameter")["errors"]
    assert (fault["parameter"], fault["code"]) == (
        path.partition("?")[2].partition("=")[0],
        "needs_q",
    )


FILTERS: list[tuple[str, Any]] = [
    ("status=refuted", lambda claim: claim["status"] == "refuted"),
    (
        "status.ne=refuted&kind.ne=definition",
        lambda claim: claim["status"] != "refuted" and claim["kind"] != "definition",
    ),
    ("topic=treatment", lambda claim: "treatment" in claim["topics"]),
    (
        "evidence_level.lte=3&direction=disputes",
        lambda claim: any(
            line["level"] <= "3" and line["direction"] == "disputes" for line in claim["evidence"]
        ),
    ),
]


@pytest.mark.parametrize(("filters", "holds"), FILTERS, ids=[case[0] for case in FILTERS])
@pytest.mark.parametrize("typed", ["MS", "venous or iron", "treatment"])
def test_it_combines_with_filters(
    filters: str, holds: Any, typed: str, client: TestClient, claims: list[Record]
) -> None:
    meant = set(of_claims(claims, typed)) & {claim["id"] for claim in claims if holds(claim)}
    path = f"/v1/claims?q={quote(typed)}&{filters}"
    assert set(ids(client, path)) == meant
    answer = get_json(client, f"{path}&count=exact&limit=1")
    assert answer["page"]["count"] == len(meant)
    facets = get_json(client, f"/v1/claims/facets?by=status,topic&q={quote(typed)}&{filters}")
    assert facets["total"] == len(meant)
    for term in facets["data"]["topic"]["terms"]:
        filed = {claim["id"] for claim in claims if term["term"] in claim["topics"]}
        assert term["count"] == len(meant & filed)


@pytest.mark.parametrize(
    "sort",
    ["", "&sort=relevance", "&sort=-relevance", "&sort=updated", "&sort=status,relevance,-id"],
)
@pytest.mark.parametrize("kind", ["claims", "sources"])
def test_pages_give_everything_once_in_one_order(sort: str, kind: str, client: TestClient) -> None:
    if kind == "sources":
        sort = sort.replace("status", "title")
    path = f"/v1/{kind}?q=venous+or+iron+or+study{sort}"
    whole = ids(client, path)
    assert len(whole) > 5
    for limit in (1, 2, 3):
        assert ids_of_all_pages(client, f"{path}&limit={limit}") == whole
    if sort == "&sort=-relevance":
        best = ids(client, path.replace("-relevance", "relevance"))
        assert set(best) == set(whole)
        assert best[0] == whole[-1] or best[0] != whole[0]


def test_the_best_comes_first(client: TestClient) -> None:
    found = ids(client, "/v1/claims?q=iron")
    assert found == ids(client, "/v1/claims?q=iron&sort=relevance")
    # A statement counts more than what sources say.
    statements = [
        claim["statement"] for claim in get_json(client, "/v1/claims?q=iron&limit=200")["data"]
    ]
    assert "iron" in statements[0].lower()
    assert "iron" not in statements[-1].lower()


def test_a_cursor_belongs_to_its_query(client: TestClient) -> None:
    cursor = get_json(client, "/v1/claims?q=venous&limit=1")["page"]["next"]
    assert get_json(client, f"/v1/claims?q=venous&limit=2&highlight=true&cursor={cursor}")["data"]
    refused(client.get(f"/v1/claims?q=iron&limit=1&cursor={cursor}"), "bad_cursor")


@pytest.mark.parametrize("day", ["2009-12-31", "2012", "2019"])
def test_it_combines_with_a_day(day: str, client: TestClient, claims: list[Record]) -> None:
    """What is looked for is looked for in all that is recorded; which claims there were by then is
    told by the day.
    """
    by_then = set(ids(client, f"/v1/claims?as_of={day}&status.ne=unconfirmed"))
    path = f"/v1/claims?q=venous&as_of={day}&status.ne=unconfirmed"
    found = ids(client, path)
    assert set(found) == by_then & set(of_claims(claims, "venous"))
    assert ids_of_all_pages(client, f"{path}&limit=2") == found
    assert get_json(
        client, f"/v1/claims/facets?q=venous&as_of={day}&status.ne=unconfirmed&by=kind"
    )["total"] == len(found)
    plain = get_json(client, f"/v1/claims?as_of={day}&limit=200")["data"]
    said_then = {record["id"]: record for record in plain}
    for record in get_json(client, f"{path}&highlight=true&limit=200")["data"]:
        marks = record.pop("highlight")
        assert record == said_then[record["id"]]
        shown = get_json(client, f"/v1/claims/{record['id']}?as_of={day}")
        cited = {source["id"] for source in shown["sources"]}
        assert {place.split("/")[1] for place in marks if place.startswith("sources/")} <= cited


def text_at(record: Record, place: str) -> str:
    """Return the text at a place that `highlight` names."""
    head, *rest = place.split("/")
    if not rest:
        return str(record[head])
    if head == "authors":
        return people(record)[int(rest[0])]
    rows = record[head]
    if head == "wordings":
        return str(rows[int(rest[0])])
    if head == "identifiers":
        return f"{rows[int(rest[0])]['scheme']} {rows[int(rest[0])]['value']}"
    if head == "evidence":
        rows = [*rows, *(line for tie in record["relations"] for line in tie["evidence"])]
    (row,) = [row for row in rows if row.get("key", row.get("id")) == rest[0]]
    return text_at(row, "/".join(rest[1:]))


@pytest.mark.parametrize(
    "typed", ["multiple sclerosis", "IL-6 or iron", '"venous insufficiency" -lesions', "zamboni"]
)
def test_marks_stand_around_what_was_found(typed: str, client: TestClient) -> None:
    query = parse_query(typed, SYNONYMS)
    for kind in ("claims", "sources"):
        for record in get_json(client, f"/v1/{kind}?q={quote(typed)}&highlight=true&limit=200")[
            "data"
        ]:
            whole = get_json(client, f"/v1/{kind}/{record['id']}")
            assert record["highlight"], "what was found stands somewhere"
            for place, marked in record["highlight"].items():
                text = text_at(whole, place)
                assert html.unescape(re.sub("</?mark>", "", marked)) == text
                hits = [html.unescape(hit) for hit in re.findall("<mark>(.*?)</mark>", marked)]
                assert hits
                for hit in hits:
                    found = tuple(tokenizer.tokenize(hit))
                    assert any(
                        found in alternative
                        for branch in query
                        for term in branch.wanted
                        for alternative in term
                    )


def test_marks_do_not_change_the_rest(client: TestClient) -> None:
    path = "/v1/claims?q=iron&include=evidence"
    marked = get_json(client, f"{path}&highlight=true")
    for record in marked["data"]:
        del record["highlight"]
    assert marked == get_json(client, path)
    assert get_json(client, f"{path}&highlight=false") == get_json(client, path)
    chosen = get_json(client, "/v1/claims?q=iron&fields=statement&highlight=true")["data"][0]
    assert list(chosen) == ["statement", "highlight"]


def test_html_in_a_text_is_no_html_in_a_mark(desk: Desk) -> None:
    desk.accepted("claim", "mine", statement="<b>Zebedee</b> & co.")
    (found,) = get_json(desk.client, "/v1/claims?q=zebedee&highlight=true")["data"]
    assert found["highlight"] == {"statement": "&lt;b&gt;<mark>Zebedee</mark>&lt;/b&gt; &amp; co."}


def test_citations_of_what_is_found(client: TestClient) -> None:
    csl = client.get("/v1/sources?q=zamboni&format=csl_json")
    assert [each["id"] for each in csl.json()]
    assert len(csl.json()) == len(ids(client, "/v1/sources?q=zamboni"))
    assert client.get("/v1/claims?q=iron&format=bibtex").text.count("@") >= 1


def test_only_what_is_accepted_is_found(desk: Desk) -> None:
    """Proposals, what was taken back, merged and purged: no search, no suggestion, no index knows
    it.
    """

    def found() -> list[list[Any]]:
        hits = [ids(desk.client, f"/v1/{kind}?q=zebedee") for kind in ("claims", "sources")]
        return [
            *hits,
            [
                (each["kind"], each["id"])
                for each in get_json(desk.client, "/v1/suggest?q=zebedee")["data"]
            ],
        ]

    named = {
        "claim": {"statement": "Zebedee holds."},
        "source": {"title": "On Zebedee"},
        "topic": {"label": "Zebedee"},
    }
    for kind, more in named.items():
        desk.propose("anna", kind, f"waits-{kind}", **more)
    desk.propose("anna", "evidence", "waits", finding="So says Zebedee.")
    assert found() == [[], [], []]
    for kind, more in named.items():
        desk.accepted(kind, f"good-{kind}", **more)
    desk.accepted("evidence", "good", finding="So says Zebedee.")
    kept = [("topic", "good-topic"), ("claim", "good-claim"), ("source", "good-source")]
    claims, *others = found()
    assert (set(claims), others) == ({"good-claim", CLAIM}, [["good-source"], kept])
    desk.retract("evidence", f"{CLAIM}:good")
    for kind in named:
        desk.retract(kind, f"good-{kind}")
    assert found() == [[], [], []]
    for kind in named:
        desk.decide("purge", kind, f"good-{kind}", "dora", "A court said so.")
    with desk.store.database.read() as connection:
        for model in index.SEARCH_TABLES:
            rows = connection.execute(table(model).select()).all()
            assert "zebed" not in repr(rows)


def test_suggestions(client: TestClient) -> None:
    found = get_json(client, "/v1/suggest?q=mult")["data"]
    assert found[0] == {"kind": "topic", "id": "multiple-sclerosis", "label": "Multiple sclerosis"}
    assert 1 < len(found) <= 10
    for record in found:
        assert "mult" in (record.get("wording") or record["label"]).lower()
    by_author = get_json(client, "/v1/suggest?q=sundstr%C3%B6m&kind=source")["data"]
    assert [each["id"] for each in by_author] == ["sundstrom-2010"]
    assert by_author[0]["citation"] == "Sundström et al. 2010"
    assert get_json(client, "/v1/suggest?q=multiple+scl&kind=topic")["data"] == found[:1]
    assert {
        each["kind"] for each in get_json(client, "/v1/suggest?q=c&kind=claim,source")["data"]
    } == {
        "claim",
        "source",
    }
    assert len(get_json(client, "/v1/suggest?q=c")["data"]) == 10
    for nothing in ("%20", "-", "zzzz", "😀"):
        assert get_json(client, f"/v1/suggest?q={quote(nothing, safe='%')}") == {"data": []}


def test_suggestions_have_a_tag(client: TestClient) -> None:
    tag = client.get("/v1/suggest?q=mult").headers["ETag"]
    assert client.get("/v1/suggest?q=mult", headers={"If-None-Match": tag}).status_code == 304


def test_lines_have_what_is_found_in_its_order(client: TestClient) -> None:
    lines = client.get("/v1/claims?q=reflux&format=jsonl&fields=id").text.splitlines()
    assert [line.split('"')[3] for line in lines] == [
        each["id"] for each in get_json(client, "/v1/claims?q=reflux")["data"]
    ]
