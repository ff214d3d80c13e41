"""What the status would be without a group, a source, or lines of some level or design; and what a
preview warns of.
"""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from models.core import vocabularies as v
from tests.api.curating import CLAIM, NOW, Desk
from tests.api.requests import all_claims, get_json

Holds = Callable[[dict[str, Any]], bool]
PLACE = "/v1/claims/ccsvi-causes-ms/explanation"
# What a line did that speaks for one side, even if its body counts by another one.
COUNTED = ("decisive", "counted", "same_group", "other_side")
REVIEW = {
    "study_design": "systematic_review",
    "question": "treatment_benefit",
    "level": "1",
    "direction": "disputes",
}


@pytest.mark.parametrize(
    ("query", "status", "set_aside"),
    [
        ("without=ferrara", "refuted", lambda e: e["independence_group"] == "ferrara"),
        (
            "without=ferrara,traboulsee&without=cochrane",
            "disputed",
            lambda e: e["independence_group"] in ("ferrara", "traboulsee", "cochrane"),
        ),
        (
            "exclude=zamboni-2018,cochrane-2019,siddiqui-2014",
            "disputed",
            lambda e: e["source"] in ("zamboni-2018", "cochrane-2019", "siddiqui-2014"),
        ),
        ("design=case_control", "disputed", lambda e: e["study_design"] != "case_control"),
        ("level.lte=2", "refuted", lambda e: e["level"] not in ("1", "2")),
        (
            "as_of=2010-12-31&without=ferrara",
            "disputed",
            lambda e: e["independence_group"] == "ferrara" and e["published"] <= "2010-12-31",
        ),
    ],
)
def test_what_the_status_would_be(
    client: TestClient, query: str, status: str, set_aside: Holds
) -> None:
    recorded = get_json(client, f"{PLACE}?{'&'.join(q for q in query.split('&') if 'as_of' in q)}")
    found = get_json(client, f"{PLACE}?{query}")
    compared = found["compared_with"]
    assert found["status"] == status
    lines = get_json(client, "/v1/claims/ccsvi-causes-ms/evidence?limit=200")["data"]
    assert set(compared["lines"]) == {line["id"] for line in lines if set_aside(line)}
    parts = {line["id"]: line["part"] for line in found["lines"]}
    assert {parts[line] for line in compared["lines"]} == {"set_aside"}
    names = ("status", "status_rule", "certainty")
    assert [compared[name] for name in names] == [recorded[name] for name in names]
    assert compared["changes_status"] == any(found[name] != recorded[name] for name in names)
    # Nothing is stored.
    assert get_json(client, PLACE)["compared_with"] is None


@pytest.mark.parametrize(
    ("query", "at"), [("without=ferara", "without"), ("exclude=adams-1988", "exclude")]
)
def test_what_has_no_line_cannot_be_set_aside(client: TestClient, query: str, at: str) -> None:
    answer = client.get(f"{PLACE}?{query}")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["parameter"], error["code"]) == (at, "unknown_term")
    assert error["allowed"]


def test_without_a_group_no_status_is_better_for_the_side_that_lost_it(client: TestClient) -> None:
    """Of all claims of the seed content, each without each of its groups."""
    lost = {"supports": 0, "disputes": 0}
    for claim in all_claims(client):
        place = f"/v1/claims/{claim['id']}/explanation"
        recorded = get_json(client, place)
        counted = [line for line in recorded["lines"] if line["part"] in COUNTED]
        critical = {
            group["independence_group"]: group["status"] for group in recorded["critical_groups"]
        }
        for group in {line["independence_group"] for line in counted}:
            found = get_json(client, f"{place}?without={group}")
            sides = {line["direction"] for line in counted if line["independence_group"] == group}
            change = v.STATUSES.rank(found["status"]) - v.STATUSES.rank(recorded["status"])
            assert critical.get(group, recorded["status"]) == found["status"]
            if sides == {"supports"}:
                assert change <= 0, (claim["id"], group)
            if sides == {"disputes"}:
                assert change >= 0, (claim["id"], group)
            for side in sides:
                lost[side] += 1
    assert min(lost.values()) > 20


def warnings(desk: Desk, line: str) -> dict[str, list[str]]:
    told = desk.must(200, "ben", "POST", f"/v1/evidence/{line}:preview")
    return {warning["code"]: warning["lines"] for warning in told["warnings"]}


@pytest.mark.parametrize(
    ("statement", "language"),
    [
        ("Does X help?", "en"),
        ("X ヘルプ\uff1f", "ja"),
        ("Βοηθά\u037e", "el"),
        ("Βοηθά;", "el-GR"),
    ],
)
def test_a_preview_warns_of_a_question_and_of_a_claim_that_is_stated_nowhere(
    desk: Desk, statement: str, language: str
) -> None:
    desk.propose("anna", "claim", "asked", statement=statement, language=language)
    line = desk.propose("anna", "evidence", "mine", claim="asked")
    alone: dict[str, list[str]] = {"statement_is_question": [], "no_occurrence": []}
    assert warnings(desk, line) == alone
    desk.propose("anna", "occurrence", "here", claim="asked")
    assert warnings(desk, line) == {"statement_is_question": []}
    path = "/v1/claims/asked"
    desk.must(200, "anna", "PATCH", path, {"statement": "X helps."}, If_Match=NOW)
    assert warnings(desk, line) == {}
    desk.must(200, "anna", "DELETE", "/v1/occurrences/asked:here", If_Match=NOW)
    assert warnings(desk, line) == {"no_occurrence": []}
    desk.must(200, "anna", "PATCH", path, {"origin": "added"}, If_Match=NOW)
    assert warnings(desk, line) == {}


def test_a_preview_warns_of_a_value_that_a_known_scheme_does_not_have(desk: Desk) -> None:
    ratings = [
        {"scheme": "grade", "value": "very low"},
        {"scheme": "sort", "value": "A"},
        {"scheme": "grade", "value": "Very low"},
        {"scheme": "iarc", "value": "2C"},
        {"scheme": "our-own", "value": "splendid"},
    ]
    line = desk.accepted("evidence", "mine", ratings=ratings)
    told = desk.must(200, "ben", "POST", f"/v1/evidence/{line}:preview")["warnings"]
    unknown = [each["detail"] for each in told if each["code"] == "unknown_rating"]
    assert [detail.split("'")[1:4:2] for detail in unknown] == [
        *(["Very low", "grade"], ["2C", "iarc"]),
    ]
    assert unknown[1].endswith("whose values are: 1, 2A, 2B, 3, 4.")
    assert desk.must(200, "anna", "GET", f"/v1/evidence/{line}")["ratings"] == [
        {**each, "by": None, "at": None} for each in ratings
    ]


def test_a_position_says_whether_its_ratings_differ_from_what_is_derived(desk: Desk) -> None:
    # The crosswalk alone says what is compared: a value that the scheme does not have, and a scheme
    # without a crosswalk, stand as they are.
    ratings = [
        {"scheme": "grade", "value": "moderate"},
        {"scheme": "grade", "value": "very low"},
        {"scheme": "grade", "value": "Moderate"},
        {"scheme": "sort", "value": "A"},
        {"scheme": "our-own", "value": "moderate"},
    ]
    position = {
        **{"key": "panel", "assessor": "A panel", "assessed": "2026-01", "status": "refuted"},
        **{"rationale": "They said so.", "ratings": ratings},
    }
    claim = f"/v1/claims/{CLAIM}"
    derived = desk.must(200, "anna", "GET", claim)["certainty"]
    desk.must(201, "ben", "POST", f"{claim}/assessments", position)
    after = desk.must(200, "anna", "GET", claim)
    (stored,) = (each for each in after["assessments"] if each["key"] == "panel")
    assert stored == desk.must(200, "anna", "GET", f"/v1/assessments/{CLAIM}:panel")
    ours = {"scheme": "grade", "vocabulary": "certainties", "ours": "moderate"}
    assert stored["ratings_compared"] == [
        {**ours, "value": "moderate", "term": "moderate", "differs": False},
        {**ours, "value": "very low", "term": "very_low", "differs": True},
    ]
    # No rule reads it.
    assert after["certainty"] == derived == "moderate"


def test_a_preview_warns_of_lines_that_count_together(desk: Desk) -> None:
    def propose(key: str, **more: Any) -> str:
        return str(desk.propose("anna", "evidence", key, CLAIM, **more))

    lone = propose("lone", source="adams-1988", independence_group="adams")
    assert warnings(desk, lone) == {}
    again = propose("again", source="barreto-2013", independence_group="elsewhere")
    assert warnings(desk, again) == {"same_source": [f"{CLAIM}:barreto-2013"]}
    team = propose("team", source="adams-1988", independence_group="barreto")
    assert warnings(desk, team) == {"same_group": [f"{CLAIM}:barreto-2013"]}
    review = propose(
        "review",
        **REVIEW,
        source="khalil-2011",
        independence_group="khalil",
        pools=["siddiqui-2014", "zamboni-2018", "adams-1988"],
        studies=3,
    )
    trials = [f"{CLAIM}:siddiqui-2014", f"{CLAIM}:zamboni-2018"]
    assert warnings(desk, review) == {"pools_recorded": trials}
    desk.accept("evidence", review)
    assert warnings(desk, lone) == {"pooled_by_recorded": [review]}
    found = desk.must(200, None, "GET", PLACE)
    told = next(each for each in found["reviews"] if each["line"] == review)
    assert told["lends_to"] == ["siddiqui-2014", "zamboni-2018"]
    assert (told["studies"], told["nameless"], told["fallen"]) == (3, 1, [])
    ferrara = next(b for b in found["bodies"] if "ferrara" in b["independence_groups"])
    assert ferrara["rank"] == 1
    assert "rank 1 is lent by" in ferrara["reason"]
