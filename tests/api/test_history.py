"""What was known when, over HTTP: both times, explanations, differences, revisions, what hangs on a
claim, pictures.
"""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings
from models.core.dates import now
from models.records.source import SourceIn
from models.write import changes
from tests.api.requests import (
    Record,
    all_claims,
    as_listed,
    get_json,
    ids,
    ids_of_all_pages,
    problem,
)
from tests.databases import SEEDED, SEEDED_CLAIMS, Store

CAUSAL = "/v1/claims/ccsvi-causes-ms"


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("as_of=2010-12-31&status=refuted", False),
        ("as_of=2020&status=refuted", True),
        ("as_of=2009&status=unconfirmed", True),
        ("as_of=2010-04-30&status=unconfirmed", True),
        ("as_of=2010-12-31&status=contested", True),
        ("as_of=2014-12&status=disputed", True),
        ("as_of=2014&status.ne=disputed", False),
        ("as_of=2009-04-29", False),
        ("as_of=2009-04-30", True),
        ("as_of=2012&evidence_level=2", False),
        ("as_of=2014&evidence_level=2&direction=disputes", True),
        ("as_of=2014&evidence_level=2&direction=supports", False),
        ("as_of=2009&has_conflict=true", False),
        ("as_of=2010&has_conflict=true", True),
        ("as_of=2009&asserted_by=zamboni", False),
        ("as_of=2010&asserted_by=zamboni", True),
        ("as_of=2009&document=article-ccsvi-explained", False),
        ("as_of=2009&topic=causation", True),
        ("as_of=2016&source=zamboni-2018", False),
        ("as_of=2017&source=zamboni-2018", True),
    ],
)
def test_a_list_as_of_a_day(query: str, listed: bool, client: TestClient) -> None:
    assert ("ccsvi-causes-ms" in ids(client, f"/v1/claims?{query}")) is listed


@pytest.mark.parametrize(
    "sort", ["id", "-status", "certainty,-id", "best_level", "-evidence_count", "updated"]
)
def test_pages_as_of_a_day_have_every_claim_once_as_of_that_day(
    sort: str, client: TestClient
) -> None:
    path = f"/v1/claims?as_of=2012&sort={sort}"
    whole = ids(client, path)
    assert len(whole) == len(set(whole)) == SEEDED_CLAIMS
    assert ids_of_all_pages(client, f"{path}&limit=4") == whole
    for claim in get_json(
        client, f"{path}&limit=200&include=evidence,occurrences,sources,relations,assessments"
    )["data"]:
        assert claim == as_listed(client, f"/v1/claims/{claim['id']}?as_of=2012")
        assert all(line["published"] <= "2012-12-31" for line in claim["evidence"])


def test_before_anything_a_list_is_empty(client: TestClient) -> None:
    answer = get_json(client, "/v1/claims?as_of=1800&count=exact")
    assert (answer["data"], answer["page"]["count"]) == ([], 0)
    facets = get_json(client, "/v1/claims/facets?as_of=1800")
    assert facets["total"] == 0
    assert all(
        facet == {"terms": [], "other": 0, "missing": 0} for facet in facets["data"].values()
    )
    assert get_json(client, f"{CAUSAL}/evidence?as_of=1800")["data"] == []


def test_facets_as_of_a_day_count_the_claims_of_the_list(client: TestClient) -> None:
    listed = get_json(client, "/v1/claims?as_of=2012&limit=200&include=evidence")["data"]
    facets = get_json(client, "/v1/claims/facets?as_of=2012")
    assert facets["total"] == len(listed)
    values: dict[str, Any] = {
        "status": lambda claim: {claim["status"]},
        "certainty": lambda claim: {claim["certainty"]} - {None},
        "kind": lambda claim: {claim["kind"]},
        "topic": lambda claim: set(claim["topics"]),
        "asserted_by": lambda claim: set(claim["asserted_by"]),
        "evidence_level": lambda claim: {line["level"] for line in claim["evidence"]},
        "direction": lambda claim: {line["direction"] for line in claim["evidence"]},
        "study_design": lambda claim: {line["study_design"] for line in claim["evidence"]},
        "year": lambda claim: {f"{line['year']}" for line in claim["evidence"]} - {"None"},
        "single_group": lambda claim: {str(claim["counts"]["groups_supporting"] == 1).lower()},
    }
    assert set(values) == set(facets["data"])
    for name, of in values.items():
        for term in facets["data"][name]["terms"]:
            assert term["count"] == sum(term["term"] in of(claim) for claim in listed), (name, term)
        assert facets["data"][name]["missing"] == sum(not of(claim) for claim in listed), name
    iron = sum("iron" in each["topics"] and each["status"] == "unconfirmed" for each in listed)
    assert (
        get_json(client, "/v1/claims/facets?as_of=2012&topic=iron&status=unconfirmed")["total"]
        == iron
        > 0
    )


THEN: dict[str, Callable[[Record], Any]] = {
    "topic=ccsvi": lambda claim: "ccsvi" in claim["topics"],
    "topic=ccsvi,iron": lambda claim: {"ccsvi", "iron"} & set(claim["topics"]),
    "topic=ccsvi,iron&status=contested,disputed&topic.ne=treatment": lambda claim: (
        {"ccsvi", "iron"} & set(claim["topics"])
        and claim["status"] in ("contested", "disputed")
        and "treatment" not in claim["topics"]
    ),
    "asserted_by=zamboni,patients": lambda claim: (
        {"zamboni", "patients"} & set(claim["asserted_by"])
    ),
    "topic=ccsvi&evidence_level=4&kind.ne=definition": lambda claim: (
        "ccsvi" in claim["topics"]
        and claim["kind"] != "definition"
        and any(line["level"] == "4" for line in claim["evidence"])
    ),
}


@pytest.mark.parametrize("query", THEN)
def test_filters_as_of_a_day_match_the_claims_of_that_day(query: str, client: TestClient) -> None:
    known = get_json(client, "/v1/claims?as_of=2012&limit=200&include=evidence")["data"]
    wanted = [claim for claim in known if THEN[query](claim)]
    assert 0 < len(wanted) < len(known)
    assert ids_of_all_pages(client, f"/v1/claims?as_of=2012&{query}&limit=2") == [
        claim["id"] for claim in wanted
    ]
    by_count = sorted(wanted, key=lambda claim: (-claim["counts"]["evidence"], claim["id"]))
    assert ids(client, f"/v1/claims?as_of=2012&{query}&sort=-evidence_count") == [
        claim["id"] for claim in by_count
    ]
    facets = get_json(client, f"/v1/claims/facets?as_of=2012&{query}&by=status,topic")
    assert facets["total"] == len(wanted)
    counted = {
        name: {each["term"]: each["count"] for each in facets["data"][name]["terms"]}
        for name in facets["data"]
    }
    assert counted["status"] == Counter(claim["status"] for claim in wanted)
    assert counted["topic"] == Counter(topic for claim in wanted for topic in claim["topics"])


def test_as_of_today_is_the_present(client: TestClient) -> None:
    for claim in all_claims(client):
        assert as_listed(client, f"/v1/claims/{claim['id']}?as_of={now()[:10]}") == claim
        assert as_listed(client, f"/v1/claims/{claim['id']}?known_at={now()}") == claim


def test_a_claim_not_stated_or_not_recorded_by_then_is_absent_and_says_since_when(
    client: TestClient,
) -> None:
    early = client.get(f"{CAUSAL}?as_of=2009-04-29")
    assert (early.status_code, problem(early)["code"]) == (404, "not_yet_stated")
    assert "2009-04-30" in problem(early)["detail"]
    unknown = client.get(f"{CAUSAL}?known_at=2020")
    assert (unknown.status_code, problem(unknown)["code"]) == (404, "not_yet_recorded")
    assert client.get(f"{CAUSAL}/explanation?known_at=2020").status_code == 404


def test_the_explanation_in_words_agrees_with_the_json(client: TestClient) -> None:
    found = get_json(client, f"{CAUSAL}/explanation")
    assert (found["status"], found["status_rule"], found["as_of"]) == (
        "refuted",
        "strong_against",
        None,
    )
    ferrara = [line["source"] for line in found["lines"] if line["independence_group"] == "ferrara"]
    assert {
        "singh-2009",
        "zamboni-2009-jnnp",
        "zamboni-2009-jvs",
        "zamboni-2018",
    } == set(ferrara)
    text = client.get(f"{CAUSAL}/explanation", headers={"Accept": "text/plain"})
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert found["sentence"] in text.text
    assert all(line["citation"] in text.text for line in found["lines"])
    assert text.headers["etag"] != client.get(f"{CAUSAL}/explanation").headers["etag"]
    assert text.headers["vary"].startswith("Accept")
    assert client.get(f"{CAUSAL}/explanation", headers={"Accept": "image/png"}).status_code == 406


def test_timeline_difference_and_history(client: TestClient) -> None:
    periods = get_json(client, f"{CAUSAL}/timeline")["periods"]
    assert list(dict.fromkeys(period["status"] for period in periods)) == [
        "unconfirmed",
        "contested",
        "disputed",
        "refuted",
    ]
    rests_on = {line["source"] for line in periods[-1]["rests_on"]}
    assert {"cochrane-2019", "siddiqui-2014", "traboulsee-2018", "zamboni-2018"} <= rests_on
    found = get_json(client, f"{CAUSAL}/diff?from=2010&to=2019")
    assert (found["before"]["as_of"], found["before"]["status"]) == ("2010-12-31", "contested")
    assert (found["after"]["status"], found["changed"]) == ("refuted", True)
    assert get_json(client, f"{CAUSAL}/diff?from=2010")["after"]["as_of"] == now()[:10]
    history = get_json(client, "/v1/statuses/history?topic=causation&by=year")["data"]
    years = {row["year"]: row["counts"] for row in history}
    for year in (2009, 2012, 2020):
        listed = get_json(client, f"/v1/claims/facets?as_of={year}&topic=causation&by=status")[
            "data"
        ]["status"]["terms"]
        assert {term["term"]: term["count"] for term in listed} == {
            name: n for name, n in years[year].items() if n
        }


def test_what_hangs_on_the_narrowing(client: TestClient) -> None:
    found = get_json(client, "/v1/claims/ccsvi-is-clinical-entity/impact?assume=refuted")
    reached = {node["id"]: node["loses_support"] for node in found["claims"]}
    assert reached["ccsvi-causes-ms"]
    assert reached["iron-and-autoimmunity-cause-ms-lesions"]
    assert get_json(client, "/v1/claims/ccsvi-is-clinical-entity/impact?depth=2")["truncated"]


def test_revisions_page_through_the_changes_of_a_claim(client: TestClient) -> None:
    first = get_json(client, f"{CAUSAL}/revisions?limit=3")
    assert first["data"][0]["record"] == "claim/ccsvi-causes-ms"
    serials = []
    path = f"{CAUSAL}/revisions?limit=7"
    answer = get_json(client, path)
    while True:
        serials += [row["serial"] for row in answer["data"]]
        if answer["page"]["next"] is None:
            break
        answer = get_json(client, f"{path}&cursor={answer['page']['next']}")
    assert serials == sorted(set(serials))
    # The claim's own record, and one of each of its parts.
    claim = get_json(client, CAUSAL)
    parts = ("occurrences", "evidence", "relations", "assessments")
    assert len(serials) == 1 + sum(len(claim[part]) for part in parts)
    one = get_json(client, f"/v1/revisions/{serials[0]}")
    assert one["body"]["statement"] == "CCSVI causes MS."
    missing = client.get("/v1/revisions/999999")
    assert (missing.status_code, str(SEEDED) in problem(missing)["detail"]) == (404, True)


def test_retracting_a_trial_shows_everywhere_at_once_and_the_past_is_kept(seeded: Store) -> None:
    with TestClient(create_app(Settings(database_url=seeded.url))) as client:
        before = get_json(client, f"{CAUSAL}?as_of=2019")
        moment = now()
        trial = get_json(client, "/v1/sources/cochrane-2019")
        marked = {name: trial[name] for name in SourceIn.model_fields}
        marked |= {"integrity": "retracted", "integrity_note": "For this test."}
        with changes.begin(seeded.database, actor="ada") as change:
            changes.put_source(change, SourceIn.model_validate(marked))
        assert [
            row["id"] for row in get_json(client, "/v1/sources?integrity=retracted")["data"]
        ] == ["cochrane-2019"]
        touched = ids(client, "/v1/sources/cochrane-2019/claims")
        assert touched == ["ccsvi-causes-ms", "ccsvi-full-name", "opening-veins-helps-ms"]
        assert get_json(client, f"{CAUSAL}?as_of=2019")["status"] == "disputed"
        then = get_json(client, f"{CAUSAL}?as_of=2019&known_at={moment}")
        # The page that shows the same is another one.
        assert {**then, "web_page": before["web_page"]} == before
        kept = get_json(client, f"{CAUSAL}/evidence?as_of=2019&known_at={moment}")["data"]
        assert {line["integrity"] for line in kept} <= {"no_notice", "corrected"}
        last = get_json(client, f"{CAUSAL}/revisions?sort=-id&limit=1")["data"][0]
        assert (last["action"], last["comment"]) == (
            "derive",
            "cochrane-2019 is now marked retracted: For this test.",
        )


BAD = [
    ("/v1/claims?as_of=2010-13", "as_of"),
    ("/v1/claims?as_of=yesterday", "as_of"),
    ("/v1/claims?as_of=２０１０", "as_of"),
    ("/v1/claims?as_of=0000", "as_of"),
    ("/v1/claims/facets?as_of=2010-02-30", "as_of"),
    (f"{CAUSAL}?as_of=10", "as_of"),
    (f"{CAUSAL}?known_at=2999", "known_at"),
    (f"{CAUSAL}?known_at=soon", "known_at"),
    (f"{CAUSAL}/evidence?known_at=2999-01-01T00:00:00Z", "known_at"),
    (f"{CAUSAL}/evidence?known_at=2026&level=1", "known_at"),
    (f"{CAUSAL}/explanation?known_at=2026-13", "known_at"),
    (f"{CAUSAL}/diff?from=2019&to=2010", "from"),
    (f"{CAUSAL}/diff?from=2999", "from"),
    (f"{CAUSAL}/diff", "from"),
    (f"{CAUSAL}/diff?from=2010&to=x", "to"),
    (f"{CAUSAL}/impact?assume=fallen", "assume"),
    (f"{CAUSAL}/impact?depth=11", "depth"),
    (f"{CAUSAL}/timeline?as_of=2010", "as_of"),
    (f"{CAUSAL}/timeline.svg?width=9", "width"),
    ("/v1/statuses/history?by=month", "by"),
    ("/v1/statuses/history?topic=irn", "topic"),
    ("/v1/revisions/0", "serial"),
    ("/v1/revisions/x", "serial"),
    ("/v1/revisions/99999999999999999999", "serial"),
]


@pytest.mark.parametrize(("path", "parameter"), BAD)
def test_a_bad_time_is_a_400_that_names_the_parameter(
    path: str, parameter: str, client: TestClient
) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert problem(answer)["errors"][0]["parameter"] == parameter


@pytest.mark.parametrize("picture", ["timeline", "chain"])
def test_the_pictures_are_drawn_from_the_answers(picture: str, client: TestClient) -> None:
    answer = client.get(f"{CAUSAL}/{picture}.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    drawn = " ".join(ET.fromstring(answer.text).itertext())  # noqa: S314
    if picture == "timeline":
        words = {period["status"] for period in get_json(client, f"{CAUSAL}/timeline")["periods"]}
    else:
        words = {
            node["status"]
            for node in get_json(client, f"{CAUSAL}/relations?depth=10&type=leads_to")["claims"]
        }
    assert all(word in drawn for word in words)
    again = client.get(f"{CAUSAL}/{picture}.svg", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert client.get(f"/v1/claims/nope/{picture}.svg").status_code == 404
    assert client.get(f"{CAUSAL}/{picture}.svg", headers={"Accept": "image/*"}).status_code == 200
