"""Curating over HTTP: proposals, decisions, versions, repetitions, mergers."""

import json

import pytest

from api.http.openapi import FOLDER, example
from tests.api.curating import ASSESSMENT, CLAIM, EVIDENCE, LINE, Desk
from tests.api.examples import BODIES, CURATING_EXAMPLES

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
    method, path = CURATING_EXAMPLES[operation]
    body = BODIES.get(operation)
    answer = desk.must(201 if body else 200, "ben", method, path, body)
    if pytestconfig.getoption("--write-examples"):
        text = json.dumps(answer, indent=2, ensure_ascii=False)
        (FOLDER / f"{operation}.json").write_text(text + "\n", encoding="utf-8")
    assert example(operation) == answer


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
