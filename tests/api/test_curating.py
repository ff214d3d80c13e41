"""Curating over HTTP: proposals, decisions, versions, repetitions, mergers."""

import json
from typing import Any

import pytest

from api.http.openapi import FOLDER, example
from tests.api.curating import ASSESSMENT, CLAIM, EVIDENCE, LINE, Desk
from tests.api.examples import BODIES, CURATING_EXAMPLES
from tests.api.write_examples import WRITES

CIVIC = {
    "name": "CIViC",
    "url": "https://civicdb.org",
    "licence": "CC0-1.0",
    "version": "01-Nov-2026",
    "retrieved": "2026-11-05",
    "description": "Clinical interpretations of variants in cancer, nightly releases.",
}


@pytest.mark.parametrize("operation", CURATING_EXAMPLES)
def test_an_example_is_what_the_api_answers(
    operation: str, desk: Desk, pytestconfig: pytest.Config
) -> None:
    desk.must(201, "anna", "POST", f"/v1/claims/{CLAIM}/evidence", LINE)
    desk.must(201, "ben", "POST", f"/v1/claims/{CLAIM}/assessments", ASSESSMENT)
    desk.accepted("collection", "civic", **CIVIC)
    for name in ("create_suggestion", "create_comment"):
        desk.must(201, "anna", "POST", f"/v1/{name[7:]}s", WRITES[name].body)
    method, path = CURATING_EXAMPLES[operation]
    body = BODIES.get(operation)
    created = 201 if operation == "import_sources" else 200
    headers = {"Content_Type": "application/json"} if body and body.startswith("{") else {}
    answer = desk.must(created, "ben", method, path, body, **headers)
    if pytestconfig.getoption("--write-examples"):
        text = json.dumps(answer, indent=2, ensure_ascii=False)
        (FOLDER / f"{operation}.json").write_text(text + "\n", encoding="utf-8")
    # When the last change was made differs from run to run.
    assert _without_time(example(operation)) == _without_time(answer)


def _without_time(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_without_time(item) for item in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        name: _without_time(value)
        for name, value in answer.items()
        if name not in ("at", "updated")
    }


def test_a_line_is_previewed_before_it_is_proposed(desk: Desk) -> None:
    address = f"/v1/claims/{CLAIM}/evidence:preview"
    before = desk.must(200, None, "GET", "/v1")["serial"]
    told = desk.must(200, "anna", "POST", address, LINE)
    assert desk.must(200, None, "GET", "/v1")["serial"] == before
    desk.must(404, "anna", "GET", f"/v1/records/evidence/{CLAIM}:example")
    desk.must(201, "anna", "POST", f"/v1/claims/{CLAIM}/evidence", LINE)
    assert told == desk.must(200, "anna", "POST", f"{EVIDENCE}:preview")
    assert (told["before"]["status"], told["after"]["status"]) == ("refuted", "supported")
    taken = desk.must(409, "anna", "POST", address, LINE)
    assert taken["errors"][0]["pointer"] == "/key"
    wrong = desk.must(422, "anna", "POST", address, {**LINE, "key": "other", "source": "nowhere"})
    assert wrong["errors"][0]["pointer"] == "/source"


def test_proposers_learn_what_became_of_their_proposals(desk: Desk) -> None:
    good, bad, waiting = (desk.propose("anna", "evidence") for _ in range(3))
    desk.propose("emil", "evidence")
    desk.accept("evidence", good)
    desk.decide("reject", "evidence", bad, "cleo", "Not about this.")

    def told(who: str, states: str) -> list[tuple[str, str, str | None]]:
        page = desk.must(200, who, "GET", f"/v1/reviews?state={states}&proposed_by=anna")
        return [(each["id"], each["state"], each["comment"]) for each in page["data"]]

    assert told("anna", "accepted,rejected") == [
        (good, "accepted", None),
        (bad, "rejected", "Not about this."),
    ]
    assert told("cleo", "submitted,rejected") == [
        (waiting, "submitted", None),
        (bad, "rejected", "Not about this."),
    ]
    assert told("emil", "submitted,accepted,rejected") == []
    everything = desk.must(200, "anna", "GET", "/v1/reviews?state=submitted,accepted,rejected")
    assert [each["id"] for each in everything["data"]] == [waiting, good, bad]


def test_from_a_proposal_to_a_status_and_back(desk: Desk) -> None:
    def status() -> str:
        return str(desk.must(200, None, "GET", f"/v1/claims/{CLAIM}?fields=status")["status"])

    made = desk.must(201, "anna", "POST", f"/v1/claims/{CLAIM}/evidence", LINE)
    assert (made["state"], made["proposed_by"], made["action"]) == ("submitted", "anna", "create")
    assert status() == "refuted"
    desk.must(404, None, "GET", EVIDENCE)
    preview = desk.must(200, "ben", "POST", f"{EVIDENCE}:preview")
    assert (preview["before"]["status"], preview["after"]["status"]) == ("refuted", "supported")
    record = f"/v1/records/evidence/{CLAIM}:example"
    desk.must(403, "anna", "POST", f"{record}:accept", {}, If_Match=desk.tag(record))
    done = desk.must(200, "ben", "POST", f"{record}:accept", {}, If_Match=desk.tag(record))
    assert (done["state"], done["actor"], done["proposed_by"]) == ("accepted", "ben", "anna")
    assert status() == "supported"
    tag = desk.tag(EVIDENCE, None)
    desk.must(422, "ben", "DELETE", EVIDENCE, If_Match=tag)
    desk.must(
        200,
        "ben",
        "DELETE",
        f"{EVIDENCE}?comment=misread&replaced_by={CLAIM}:doepp-2010",
        If_Match=tag,
    )
    assert status() == "refuted"
    gone = desk.must(410, None, "GET", EVIDENCE)
    assert "misread" in gone["detail"]
    assert gone["errors"][0]["suggestion"] == f"{CLAIM}:doepp-2010"
    assert desk.disagreements() == []
