"""What somebody proposed is their own and the curators': nobody else reaches it, over no address,
in no list, by no guess.

Whoever asks for it by its id gets, but for that id, the very answer that an id gets which was never
given away.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.curating import CLAIM, NOW, Desk, a_record, at_desk
from tests.databases import DATABASES, SEEDED, Templates, store_of

HIDDEN, ABSENT = "hidden", "absent"
TIED, UNTIED = "names", "rivals"
DOI = "10.1234/hidden-doi"
# Everybody but anna, who proposed it, and curators.
OTHERS = (None, "emil")


@pytest.fixture(scope="module", params=DATABASES)
def desk(request: pytest.FixtureRequest, templates: Templates) -> Iterator[Desk]:
    for store in store_of(templates, request.param, seeded=True):
        with at_desk(store) as desk:
            _hide(desk)
            desk.propose("emil", "evidence", "of-emil")
            yield desk
            assert desk.disagreements() == []


def _hide(desk: Desk) -> None:
    """Propose one of each kind as anna, all with names and words that begin with «hidden»."""
    secret = {"note": "hidden-words"}
    desk.propose(
        "anna", "topic", "hidden-topic", label="hidden-words", crosswalk={"mesh": "hidden-term"}
    )
    desk.propose("anna", "collection", "hidden-collection", name="hidden-words")
    identifiers = [{"scheme": "doi", "value": DOI, "verification": "unverified"}]
    desk.propose(
        "anna", "source", "hidden-source", title="hidden-words", identifiers=identifiers, **secret
    )
    desk.propose("anna", "claim", "hidden-claim", topics=["hidden-topic", "iron"], **secret)
    desk.propose("anna", "relation", CLAIM, "hidden-claim", **secret)
    desk.propose("anna", "relation", "hidden-claim", type="rivals", **secret)
    desk.propose("anna", "relation", "ms-cause-unknown", type=TIED, **secret)
    for claim in ("hidden-claim", CLAIM):
        source = {"source": "hidden-source", **secret}
        desk.propose(
            "anna", "occurrence", "hidden-part", claim, asserted_by=["hidden-person"], **source
        )
        desk.propose(
            "anna", "evidence", "hidden-part", claim, independence_group="hidden-team", **source
        )
    tie = {"relation_type": TIED, "relation_target": "ms-cause-unknown"}
    desk.propose("anna", "evidence", "hidden-on-tie", **tie, **secret)
    for reason, kind in (("reject", "evidence"), ("withdraw", "occurrence")):
        record = desk.propose("anna", kind, f"hidden-{reason}", **secret)
        if reason == "reject":
            desk.decide("reject", kind, record, comment="hidden-reason")
        else:
            desk.must(200, "anna", "DELETE", f"/v1/occurrences/{record}", If_Match=NOW)


def told(
    desk: Desk, who: str | None, method: str, path: str, body: Any, **headers: str
) -> tuple[int, str]:
    """Return status and content of an answer, without what differs from one request to the next."""
    answer = desk.ask(who, method, path, body, **headers)
    content = answer.text
    if answer.headers.get("content-type", "").endswith("json"):
        content = json.dumps(
            {name: value for name, value in answer.json().items() if name != "request_id"}
        )
    return answer.status_code, content


def alike(
    desk: Desk, who: str | None, method: str, path: str, body: Any = None, **headers: str
) -> int:
    """Hold the answer about a hidden id to the one about an absent id; return its status."""
    other = json.loads(json.dumps(body).replace(HIDDEN, ABSENT).replace(TIED, UNTIED))
    got = told(desk, who, method, path, body, **headers)
    wanted = told(
        desk, who, method, path.replace(HIDDEN, ABSENT).replace(TIED, UNTIED), other, **headers
    )
    assert (got[0], got[1].replace(HIDDEN, ABSENT).replace(TIED, UNTIED)) == wanted, (
        f"{who}: {method} {path}"
    )
    # A guess that comes near is not helped.
    near = path.replace(HIDDEN, "hiden")
    assert HIDDEN not in told(desk, who, method, near, None, **headers)[1].replace(near, "")
    return got[0]


PARTS = (
    "occurrences/{claim}:hidden-part",
    "relations/{claim}:names:ms-cause-unknown",
    "evidence/{claim}:hidden-part",
    "evidence/{claim}:hidden-on-tie",
    "evidence/{claim}:hidden-reject",
    "occurrences/{claim}:hidden-withdraw",
    "assessments/{claim}:hidden-part",
)
NATIVE = (
    *("collections/hidden-collection", "topics/hidden-topic", "sources/hidden-source"),
    "claims/hidden-claim",
)
RECORDS = [
    *NATIVE,
    *(part.format(claim=claim) for claim in ("hidden-claim", CLAIM) for part in PARTS),
]
OF_A_CLAIM = (
    "sources",
    "evidence",
    "relations",
    "impact",
    "timeline",
    "diff?from=2010",
    "revisions",
    "explanation",
)
PICTURES = ("timeline.svg", "chain.svg", "badge.svg")
READS = [
    *RECORDS,
    *(f"claims/hidden-claim/{part}" for part in (*OF_A_CLAIM, *PICTURES)),
    *(
        f"claims/hidden-claim{more}"
        for more in ("?known_at=2026", "?as_of=2020", "/evidence?known_at=2026")
    ),
    *(f"claims/hidden-claim?format={name}" for name in ("csl_json", "bibtex", "ris", "json_ld")),
    "claims/hidden-claim/explanation?known_at=2026",
    *(f"sources/hidden-source{more}" for more in ("/claims", "?format=bibtex", "?format=csl_json")),
    f"sources/doi:{DOI}",
    f"sources/doi:{DOI}/claims",
    *(f"claims?{name}=hidden-{kind}" for name, kind in (("topic", "topic"), ("source", "source"))),
    *(
        "claims?document=hidden-source",
        "claims?asserted_by=hidden-person",
        "claims/facets?topic=hidden-topic",
    ),
    *(f"evidence?{name}=hidden-{name}" for name in ("claim", "source")),
    f"evidence?source=doi:{DOI}",
    "statuses/history?topic=hidden-topic",
    *(f"{plural}?collection=hidden-collection" for plural in ("claims", "evidence", "sources")),
    "export?collection=hidden-collection",
    *(
        "changes?claim=hidden-claim",
        "changes?topic=hidden-topic",
        "changes/stream?claim=hidden-claim&since=0",
    ),
]


@pytest.mark.parametrize("path", READS)
def test_nobody_else_reads_it_by_its_id(path: str, desk: Desk) -> None:
    for who in OTHERS:
        status = alike(desk, who, "GET", f"/v1/{path}")
        assert status in (200, 400, 404)
        assert status != 200 or f"doi:{DOI}" in path


@pytest.mark.parametrize("path", RECORDS)
def test_nobody_else_touches_it_by_its_id(path: str, desk: Desk) -> None:
    plural, _, record = path.partition("/")
    kind = {"evidence": "evidence"}.get(plural, plural.removesuffix("s"))
    before = desk.bodies()
    for who in OTHERS:
        assert alike(desk, who, "GET", f"/v1/records/{kind}/{record}") == 404
        wanted = 404 if who else 401
        word = {
            "topic": "definition",
            "collection": "description",
            "assessment": "rationale",
        }.get(kind, "note")
        for method, body in (("PATCH", {word: "x"}), ("PUT", {word: "x"}), ("DELETE", None)):
            for headers in ({"If_Match": NOW}, {"If_Match": '"1"'}, {}):
                assert alike(desk, who, method, f"/v1/{path}", body, **headers) == wanted
        if kind == "evidence":
            assert alike(desk, who, "POST", f"/v1/{path}:preview") == wanted
        for action in ("accept", "reject", "purge"):
            denied = alike(
                desk, who, "POST", f"/v1/records/{kind}/{record}:{action}", {}, If_Match=NOW
            )
            assert denied == (403 if who else 401)
    assert desk.bodies() == before


MENTIONS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/claims/hidden-claim/evidence", a_record("evidence", "mine")),
    ("/v1/claims/hidden-claim/occurrences", a_record("occurrence", "mine")),
    ("/v1/claims/hidden-claim/relations", a_record("relation", CLAIM, type="refines")),
    (f"/v1/claims/{CLAIM}/relations", a_record("relation", "hidden-claim", type="analogous_to")),
    (f"/v1/claims/{CLAIM}/evidence", a_record("evidence", "mine", source="hidden-source")),
    (f"/v1/claims/{CLAIM}/occurrences", a_record("occurrence", "mine", source="hidden-source")),
    (
        f"/v1/claims/{CLAIM}/evidence",
        a_record("evidence", "mine", relation_type=TIED, relation_target="ms-cause-unknown"),
    ),
    ("/v1/claims", a_record("claim", "mine", topics=["hidden-topic"])),
]


@pytest.mark.parametrize(("path", "body"), MENTIONS)
def test_nobody_else_builds_on_it(path: str, body: dict[str, Any], desk: Desk) -> None:
    assert alike(desk, "emil", "POST", path, body) in (404, 422)
    kind = path.rpartition("/")[2].replace("claims", "claim").removesuffix("s")
    claim = {"claim": path.split("/")[3]} if path.count("/") == 4 else {}
    assert (
        alike(
            desk,
            "emil",
            "POST",
            "/v1/claims:batch",
            {"records": [{"record": kind, **claim, **body}]},
        )
        == 422
    )
    # With her own key, the one who proposed it may.
    own = f"of-anna-{next(desk.numbers)}"
    keys = {"key": own} if "key" in body else {"id": own} if "id" in body else {}
    desk.must(201, "anna", "POST", path, {**body, **keys})


def test_nobody_else_puts_it_in_the_place_of_their_own(desk: Desk) -> None:
    record = desk.propose("emil", "source", "emils-source")
    path = f"/v1/sources/{record}?replaced_by=hidden-source"
    assert alike(desk, "emil", "DELETE", path, If_Match=NOW) == 422


def test_an_identifier_that_is_taken_does_not_say_by_what(desk: Desk) -> None:
    identifiers = [{"scheme": "doi", "value": DOI, "verification": "unverified"}]
    body = a_record("source", "mine", identifiers=identifiers)
    status, content = told(desk, "emil", "POST", "/v1/sources", body)
    assert status == 422
    assert "hidden-source" not in content
    file = f"@article{{a, title = {{Another}}, year = 2015, doi = {{{DOI}}}}}"
    status, content = told(desk, "emil", "POST", "/v1/sources:parse", file)
    assert status == 200
    assert "hidden-source" not in content
    file = "@article{a, title = {hidden-words}, author = {Doe, J}, year = 2015}"
    status, content = told(desk, "emil", "POST", "/v1/sources:parse", file)
    assert status == 200
    assert "hidden-source" not in content


def test_an_id_that_is_taken_is_all_that_is_told_of_it(desk: Desk) -> None:
    for path, record in (
        ("/v1/sources", "source"),
        ("/v1/topics", "topic"),
        ("/v1/collections", "collection"),
        ("/v1/claims", "claim"),
    ):
        status, content = told(desk, "emil", "POST", path, a_record(record, f"hidden-{record}"))
        assert status == 409
        assert "choose another" in content
        assert "submitted" not in content
    status, content = told(desk, "anna", "POST", "/v1/claims", a_record("claim", "hidden-claim"))
    assert status == 409
    assert "is there already" in content


# Wherever something is listed, counted, drawn or explained that could hold it.
SHOWN = [
    *(
        "claims?limit=200",
        "claims?limit=200&include=evidence,sources,relations,occurrences,assessments",
    ),
    *(
        "claims?as_of=2026&limit=200",
        "claims/facets",
        "evidence?limit=200",
        "sources?limit=200",
        "topics?limit=200",
    ),
    *("claims?format=bibtex", "sources?format=csl_json", "sources?author=doe", "statuses/history"),
    *(f"claims/{CLAIM}{more}" for more in ("", "?known_at=2026", "?as_of=2026", "?format=json_ld")),
    *(f"claims/{CLAIM}/{part}" for part in (*OF_A_CLAIM, *PICTURES)),
    *(f"claims/{CLAIM}/explanation?{when}" for when in ("as_of=2026", "known_at=2026")),
    *(f"claims/{CLAIM}/evidence?{when}" for when in ("as_of=2026", "known_at=2026", "limit=200")),
    *(
        "claims/ms-cause-unknown/relations?depth=3",
        "claims/ms-cause-unknown/impact",
        "reviews?limit=200",
    ),
    *(
        f"{path}include=submitted"
        for path in ("claims?", f"claims/{CLAIM}?", f"claims/{CLAIM}/evidence?")
    ),
    *(f"{path}?include=submitted" for path in ("evidence", "sources")),
    *(
        f"changes?limit=200&since={SEEDED}",
        f"changes?limit=200&since={SEEDED}&include=body",
        f"changes?kind=evidence&since={SEEDED - 10}",
    ),
    *("reviews?proposed_by=anna", "reviews?claim=hidden-claim", "reviews?count=exact"),
    *("reviews?topic=hidden-topic", "reviews?actor=anna", "reviews?mine=false"),
    *(f"changes?actor={name}&since={SEEDED}" for name in ("anna", "ben")),
]


@pytest.mark.parametrize("path", SHOWN)
def test_no_list_shows_it_to_others(path: str, desk: Desk) -> None:
    for who in OTHERS:
        answer = desk.ask(who, "GET", f"/v1/{path}")
        if answer.status_code == 400:
            assert "unknown_parameter" in answer.text
            continue
        needs_key = "submitted" in path or path.startswith("reviews")
        assert answer.status_code == (401 if who is None and needs_key else 200), answer.text
        assert HIDDEN not in answer.text.replace("claim=hidden-claim", "")
        if "count=exact" in path and who:
            assert answer.json()["page"]["count"] == len(answer.json()["data"])


def test_its_proposer_and_curators_see_it_where_they_ask_for_it(desk: Desk) -> None:
    """The lists above can show it: without this, the test above would pass on lists that show
    nothing.
    """
    for who in ("anna", "ben", "dora"):
        for path in (
            "reviews?limit=200",
            f"changes?limit=200&since={SEEDED}&include=body",
            "claims?include=submitted",
            f"claims/{CLAIM}?include=submitted",
        ):
            assert HIDDEN in desk.ask(who, "GET", f"/v1/{path}").text
        for path in ("evidence", "sources", f"claims/{CLAIM}/evidence"):
            found = desk.must(200, who, "GET", f"/v1/{path}?include=submitted")["submitted"]
            assert HIDDEN in json.dumps(found)
    shown = desk.must(200, "emil", "GET", f"/v1/claims/{CLAIM}?include=submitted")["submitted"]
    assert {record["proposed_by"] for record in shown} == {"emil"}


def test_no_revision_shows_it_to_others(desk: Desk) -> None:
    for who in OTHERS:
        # What came before is the seed.
        for serial in itertools.count(SEEDED + 1):
            answer = desk.ask(who, "GET", f"/v1/revisions/{serial}")
            if answer.status_code == 404 and "last one is" in answer.text:
                assert serial > SEEDED + 10
                break
            assert HIDDEN not in answer.text
            assert serial < 5000


def test_a_name_with_odd_characters_is_no_way_in(desk: Desk) -> None:
    for record in (
        "hidden-claim:",
        ":hidden-part",
        "hidden-claim:hidden-part:",
        "HIDDEN-CLAIM",
        "hidden-claim%20",
    ):
        for path in ("/v1/records/claim/", "/v1/records/evidence/", "/v1/claims/", "/v1/evidence/"):
            status, content = told(desk, "emil", "GET", path + quote(record, safe="%:"), None)
            assert status == 404
            assert "hidden-words" not in content


@pytest.mark.parametrize("state", ["submitted", "withdrawn", "rejected"])
def test_an_id_that_is_offered_does_not_tell_of_a_proposal(desk: Desk, state: str) -> None:
    """A source that is hidden has the very id that a citation would get."""
    file = f"@article{{a, title = {{Unlike}}, author = {{{state}, J}}, year = 2015}}"
    before = desk.must(200, "emil", "POST", "/v1/sources:parse", file)
    assert before["data"][0]["id"] == f"{state}-2015"
    record = desk.propose("anna", "source", f"{state}-2015", title="Other words")
    if state == "withdrawn":
        desk.must(200, "anna", "DELETE", f"/v1/sources/{record}", If_Match=NOW)
    elif state == "rejected":
        desk.decide("reject", "source", record, comment="Not so.")
    assert desk.must(200, "emil", "POST", "/v1/sources:parse", file) == before
