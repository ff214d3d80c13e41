"""Each kind of record through all that can happen to one: proposed, changed, decided, withdrawn,
proposed anew, retracted.
"""

from typing import Any

import pytest

from models.records.record_types import CONTENT_TYPES, RECORD_TYPES
from tests.api.curating import CLAIM, LINE, NOW, PATCHES, Desk, a_record, native
from tests.api.requests import problem
from tests.databases import SEEDED_CLAIMS

PROPOSED = [kind for kind in RECORD_TYPES if kind != "assessment"]
# What is said of these stays as it was accepted; see test_suggestions.
CHANGED = [kind.name for kind in CONTENT_TYPES if kind.name != "assessment"]
# A relation is named by its ends.
KEYS = {"relation": "ms-cause-unknown"}


def collection(kind: str) -> str:
    return (
        f"/v1/claims/{CLAIM}/{RECORD_TYPES[kind].plural}"
        if RECORD_TYPES[kind].part
        else f"/v1/{RECORD_TYPES[kind].plural}"
    )


@pytest.mark.parametrize("of", CHANGED)
def test_from_a_proposal_to_its_retraction(of: str, desk: Desk) -> None:
    body = a_record(of, KEYS.get(of, "mine"))
    answer = desk.ask("anna", "POST", f"{collection(of)}?comment=first", body)
    made = answer.json()
    assert answer.status_code == 201
    assert made.pop("possible_duplicates", []) == []
    record, path = made["id"], native(of, made["id"])
    assert answer.headers["location"] == f"/v1/records/{of}/{record}"
    assert answer.headers["cache-control"] == "no-store"
    assert (
        answer.headers["etag"]
        == f'"{made["revision"]}"'
        == desk.tag(answer.headers["location"], "anna")
    )
    shown = {name: made[name] for name in ("state", "proposed_by", "action", "actor", "comment")}
    wanted = {
        "state": "submitted",
        "proposed_by": "anna",
        "action": "create",
        "actor": "anna",
        "comment": "first",
    }
    assert shown == wanted
    assert {
        name: value for name, value in made["record"].items() if name in body and name != "authors"
    } == {name: value for name, value in body.items() if name != "authors"}
    assert desk.record(of, record, "anna") == {**made, "conflict_of_interest": None}
    desk.must(404, None, "GET", path)

    # Its proposer changes it: some fields, one taken away, all of it.
    field, value = next(iter(PATCHES[of].items()))
    other = desk.ask("anna", "PATCH", path, {field: value}, If_Match=answer.headers["etag"])
    assert other.status_code == 200
    changed = other.json()
    assert (changed["action"], changed["revision"] > made["revision"]) == ("update", True)
    assert changed["record"] == {**made["record"], field: value}
    desk.must(412, "anna", "PATCH", path, {field: "x"}, If_Match=answer.headers["etag"])
    optional = {"topic": "crosswalk", "collection": "description"}.get(of, "note")
    noted = desk.must(
        200,
        "anna",
        "PATCH",
        path,
        {} if optional == "crosswalk" else {optional: "A note."},
        If_Match=NOW,
    )
    cleared = desk.must(
        200, "anna", "PATCH", path, {optional: None}, If_Match=f'"{noted["revision"]}"'
    )
    assert cleared["record"][optional] in (None, {})
    replaced = desk.must(200, "anna", "PUT", path, body, If_Match=f'"{cleared["revision"]}"')
    assert replaced["record"] == made["record"]

    # Another decides; from then on everybody sees it, and a curator may change it.
    desk.accept(of, record, "ben", "Well found.")
    assert desk.record(of, record)["comment"] == "Well found."
    seen = desk.ask(None, "GET", path)
    assert seen.status_code == 200
    again = desk.must(409, "cleo", "POST", f"/v1/records/{of}/{record}:accept", {}, If_Match=NOW)
    assert "is accepted" in again["detail"]
    corrected = desk.must(200, "ben", "PATCH", path, {field: value}, If_Match=seen.headers["etag"])
    assert corrected["record"][field] == value
    assert desk.must(200, None, "GET", path)[field] == value
    assert desk.tag(path, None) == f'"{corrected["revision"]}"'

    # Nobody is in its place; it can be read why it is gone.
    for query in ("", "?comment=", "?comment=%20"):
        refused = problem(desk.ask("ben", "DELETE", path + query, If_Match=NOW))
        assert refused["status"] in (400, 422)
        assert "comment" in str(refused)
    gone = desk.must(200, "ben", "DELETE", f"{path}?comment=a+mistake", If_Match=NOW)
    assert (gone["state"], gone["action"], gone["comment"]) == ("retracted", "retract", "a mistake")
    told = problem(desk.ask(None, "GET", path))
    assert (told["status"], told["code"]) == (410, "gone")
    assert "a mistake" in told["detail"]
    for method, given in (("PATCH", {field: "x"}), ("PUT", body), ("DELETE", None)):
        assert (
            problem(desk.ask("ben", method, f"{path}?comment=x", given, If_Match=NOW))["status"]
            == 409
        )
    desk.must(409, "ben", "POST", collection(of), body)
    desk.must(409, "ben", "POST", f"/v1/records/{of}/{record}:accept", {}, If_Match=NOW)


@pytest.mark.parametrize("of", PROPOSED)
def test_what_was_rejected_or_withdrawn_may_be_proposed_anew(of: str, desk: Desk) -> None:
    body = a_record(of, KEYS.get(of, "mine"))
    record = desk.must(201, "anna", "POST", collection(of), body)["id"]
    path, decision = native(of, record), f"/v1/records/{of}/{record}"
    for why in ({}, {"comment": None}, {"comment": ""}, {"comment": "  "}):
        refused = problem(desk.ask("ben", "POST", f"{decision}:reject", why, If_Match=NOW))
        assert (refused["status"], refused["errors"][0]["pointer"]) == (422, "/comment")
    rejected = desk.must(
        200, "ben", "POST", f"{decision}:reject", {"comment": "Not so."}, If_Match=NOW
    )
    assert (rejected["state"], rejected["comment"], rejected["proposed_by"]) == (
        "rejected",
        "Not so.",
        "anna",
    )
    assert desk.record(of, record, "anna")["comment"] == "Not so."
    desk.must(404, None, "GET", path)
    desk.must(404, "emil", "GET", decision)
    desk.must(409, "anna", "PATCH", path, {}, If_Match=NOW)
    desk.must(403, "anna", "DELETE", path, If_Match=NOW)

    # Who proposed it may propose it anew; for all others its id is taken.
    taken = problem(desk.ask("emil", "POST", collection(of), body))
    assert (taken["status"], taken["code"]) == (409, "already_exists")
    assert "choose another" in taken["detail"]
    desk.must(409, "ben", "POST", collection(of), body)
    desk.must(201, "anna", "POST", collection(of), body)
    desk.must(403, "ben", "DELETE", path, If_Match=NOW)
    withdrawn = desk.must(200, "anna", "DELETE", f"{path}?comment=mistaken", If_Match=NOW)
    assert (withdrawn["state"], withdrawn["action"]) == ("withdrawn", "withdraw")
    desk.must(404, None, "GET", path)
    again = desk.must(201, "anna", "PUT", path, body, If_None_Match="*")
    assert (again["proposed_by"], again["state"], again["action"]) == (
        "anna",
        "submitted",
        "create",
    )
    desk.accept(of, record)
    assert desk.ask(None, "GET", path).status_code == 200


def test_an_assessment_is_a_decision_itself(desk: Desk) -> None:
    body = a_record("assessment", "mine")
    desk.must(403, "anna", "POST", collection("assessment"), body)
    made = desk.must(201, "ben", "POST", collection("assessment"), body)
    assert (made["state"], made["proposed_by"], made["actor"]) == ("accepted", None, "ben")
    path = native("assessment", made["id"])
    assert desk.must(200, None, "GET", path)["rationale"] == body["rationale"]
    tag = desk.tag(path, None)
    assert tag == desk.tag(f"/v1/claims/{CLAIM}", None) == f'"{made["revision"]}"'
    desk.must(409, "ben", "POST", collection("assessment"), body)
    desk.must(200, "ben", "PATCH", path, {"source": None}, If_Match=tag)
    desk.must(200, "cleo", "PUT", path, {**body, "status": "disputed"}, If_Match=NOW)
    assert desk.must(200, None, "GET", path)["status"] == "disputed"
    desk.must(200, "ben", "DELETE", f"{path}?comment=superseded", If_Match=NOW)
    assert problem(desk.ask(None, "GET", path))["status"] == 410


def test_where_a_record_stands_is_decided_not_written(desk: Desk) -> None:
    for of in RECORD_TYPES:
        _stands_as_decided(of, desk)


def _stands_as_decided(of: str, desk: Desk) -> None:
    """Refuse what is written of where a record of a kind stands, new or stored."""
    good = a_record(of, KEYS.get(of, "mine"))
    who, fixed = (
        ("ben", ({"state": "submitted"}, {"state": "retracted"}))
        if of == "assessment"
        else ("anna", ({"state": "accepted"}, {"replaced_by": "another"}))
    )
    for more in fixed:
        body, (pointer,) = {**good, **more}, more
        for ask in (("POST", collection(of), body), ("POST", "/v1/claims:batch", _batch(of, body))):
            refused = problem(desk.ask(who, *ask))
            assert (refused["status"], refused["errors"][0]["code"]) == (422, "fixed_field"), of
            assert refused["errors"][0]["pointer"].endswith(f"/{pointer}")
    record = desk.must(201, who, "POST", collection(of), good)["id"]
    for method in ("PATCH", "PUT"):
        for given in (*fixed, {"state": "merged"}, {"state": "nonsense"}):
            refused = problem(
                desk.ask(who, method, native(of, record), {**good, **given}, If_Match=NOW)
            )
            assert refused["status"] == 422, of
    # To send it as it stands is to change nothing.
    stands = desk.record(of, record)
    for method in ("PATCH", "PUT"):
        desk.must(200, who, method, native(of, record), stands["record"], If_Match=NOW)
    assert desk.record(of, record) == stands


def _batch(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "records": [
            {"record": kind, **({"claim": CLAIM} if RECORD_TYPES[kind].part else {}), **body}
        ]
    }


def test_ids_cannot_be_changed(desk: Desk) -> None:
    for of in RECORD_TYPES:
        _keeps_its_id(of, desk)


def _keeps_its_id(of: str, desk: Desk) -> None:
    """Refuse another id for a record of a kind."""
    who = "ben" if of == "assessment" else "anna"
    body = a_record(of, KEYS.get(of, "mine"))
    record = desk.must(201, who, "POST", collection(of), body)["id"]
    before = desk.bodies()
    names = dict.fromkeys(RECORD_TYPES[of].columns, "another")
    for name, value in ({**names, "type": "rivals"} if of == "relation" else names).items():
        for method in ("PATCH", "PUT"):
            refused = problem(
                desk.ask(who, method, native(of, record), {**body, name: value}, If_Match=NOW)
            )
            assert (refused["status"], refused["errors"][0]["code"]) == (422, "fixed_field"), name
            assert refused["errors"][0]["pointer"] == f"/{name}"
    assert desk.bodies() == before


def test_a_merge_patch_is_one(desk: Desk) -> None:
    crosswalk = {"mesh": "A", "loinc": "B"}
    desk.propose("anna", "topic", "mine", crosswalk=crosswalk)
    path = "/v1/topics/mine"
    patch = b'{"crosswalk": {"mesh": null, "icd": "C"}}'
    answer = desk.ask(
        "anna", "PATCH", path, patch, If_Match=NOW, Content_Type="application/merge-patch+json"
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["record"]["crosswalk"] == {"loinc": "B", "icd": "C"}
    assert (
        problem(desk.ask("anna", "PATCH", path, b"{}", If_Match=NOW, Content_Type="text/plain"))[
            "status"
        ]
        == 415
    )
    kept = {"If_Match": NOW, "Content_Type": "application/json"}
    for content in (b"[]", b"1", b'"x"', b"null"):
        refused = problem(desk.ask("anna", "PATCH", path, content, **kept))
        assert (refused["status"], refused["errors"][0]["code"]) == (422, "not_an_object")
    desk.must(422, "anna", "PATCH", path, {"label": None}, If_Match=NOW)
    authors = [{"family": "Roe"}, {"literal": "The Group"}]
    desk.propose("anna", "source", "mine")
    told = desk.must(200, "anna", "PATCH", "/v1/sources/mine", {"authors": authors}, If_Match=NOW)
    assert [author["family"] for author in told["record"]["authors"]] == ["Roe", None]
    told = desk.must(
        200, "anna", "PATCH", "/v1/sources/mine", {"authors": None, "issued": "2016"}, If_Match=NOW
    )
    assert (told["record"]["authors"], told["record"]["issued"]) == ([], "2016")


def test_what_an_accepted_record_refers_to_is_accepted(desk: Desk) -> None:
    desk.propose("anna", "topic", "new-topic")
    desk.propose("anna", "source", "new-source")
    desk.propose("anna", "claim", "new-claim", topics=["new-topic"])
    line = desk.propose("anna", "evidence", "new", "new-claim", source="new-source")
    tie = desk.propose("anna", "relation", "new-claim", type="rivals")
    on_tie = desk.propose(
        "anna",
        "evidence",
        "on-tie",
        relation_type="rivals",
        relation_target="new-claim",
        source="new-source",
    )
    waits = [("claim", "new-claim"), ("evidence", line), ("relation", tie), ("evidence", on_tie)]
    for kind, record in waits:
        refused = problem(
            desk.ask("ben", "POST", f"/v1/records/{kind}/{record}:accept", {}, If_Match=NOW)
        )
        assert (refused["status"], refused["errors"][0]["code"]) == (409, "not_accepted"), record
    # An assessment counts at once, so its claim and its source must.
    for path, body in (
        ("/v1/claims/new-claim/assessments", a_record("assessment", "x")),
        (f"/v1/claims/{CLAIM}/assessments", a_record("assessment", "x", source="new-source")),
    ):
        desk.must(409, "ben", "POST", path, body)
    # A record that is accepted cannot be changed to refer to what is not.
    anew = {"topics": ["new-topic"], "topic_roles": []}
    desk.must(409, "ben", "PATCH", f"/v1/claims/{CLAIM}", anew, If_Match=NOW)
    seeded = f"/v1/evidence/{CLAIM}:doepp-2010"
    desk.must(409, "ben", "PATCH", seeded, {"source": "new-source"}, If_Match=NOW)
    for kind, record in (("topic", "new-topic"), ("source", "new-source"), *waits):
        desk.accept(kind, record)
    assert desk.must(200, None, "GET", "/v1/claims/new-claim")["counts"]["evidence"] == 1
    for given in ("absent", "New-Source", "", 5, None):
        refused = problem(
            desk.ask("anna", "POST", collection("evidence"), {**LINE, "source": given})
        )
        assert (refused["status"], refused["errors"][0]["pointer"]) == (422, "/source")


def test_nothing_is_retracted_while_something_rests_on_it(desk: Desk) -> None:
    desk.accepted("topic", "new-topic")
    desk.accepted("source", "new-source")
    desk.accepted("claim", "new-claim", topics=["new-topic"])
    line = desk.accepted("evidence", "new", claim="new-claim", source="new-source")
    tie = desk.accepted("relation", "new-claim", type="rivals")
    on_tie = desk.accepted(
        "evidence", "on-tie", relation_type="rivals", relation_target="new-claim"
    )
    waiting = desk.propose("emil", "evidence", "waiting", "new-claim", source="new-source")
    rests = [
        ("topic", "new-topic", "claim/new-claim"),
        ("source", "new-source", f"evidence/{line}"),
        ("relation", tie, f"evidence/{on_tie}"),
        ("claim", "new-claim", f"relation/{tie}"),
    ]
    for kind, record, named in rests:
        refused = problem(
            desk.ask("cleo", "DELETE", f"{native(kind, record)}?comment=x", If_Match=NOW)
        )
        assert (refused["status"], refused["code"]) == (409, "conflict")
        assert named in refused["detail"]
        assert any(named in error["detail"] for error in refused["errors"])
    desk.retract("evidence", on_tie)
    desk.retract("relation", tie)
    # A claim takes its parts along, and what waits on it is rejected.
    desk.retract("claim", "new-claim", replaced_by=CLAIM)
    assert desk.record("evidence", line)["state"] == "retracted"
    gone = problem(desk.ask(None, "GET", "/v1/claims/new-claim"))
    assert gone["status"] == 410
    assert gone["errors"][0]["suggestion"] == CLAIM
    assert problem(desk.ask(None, "GET", native("evidence", line)))["status"] == 410
    for path in (
        "/v1/claims/new-claim/evidence",
        "/v1/claims/new-claim/explanation",
        "/v1/claims/new-claim/badge.svg",
    ):
        assert problem(desk.ask(None, "GET", path))["status"] == 410
    told = desk.record("evidence", waiting, "emil")
    assert (told["state"], told["actor"], told["comment"]) == ("rejected", "cleo", "wrong")
    desk.must(409, "emil", "POST", "/v1/claims/new-claim/evidence", {**LINE, "key": "late"})
    desk.retract("source", "new-source")
    desk.retract("topic", "new-topic")
    assert desk.must(200, None, "GET", "/v1/claims/facets")["total"] == SEEDED_CLAIMS


def test_what_stands_in_its_place_must_stand(desk: Desk) -> None:
    record = desk.accepted("evidence", "mine")
    proposed = desk.propose("anna", "evidence", "waits")
    path = native("evidence", record)
    for place in (record, proposed, "absent", f"{CLAIM}:absent", "a:b:c"):
        refused = problem(
            desk.ask("cleo", "DELETE", f"{path}?comment=x&replaced_by={place}", If_Match=NOW)
        )
        assert (refused["status"], refused["errors"][0]["parameter"]) == (422, "replaced_by")
    desk.retract("evidence", record, replaced_by=f"{CLAIM}:doepp-2010")
    gone = problem(desk.ask(None, "GET", path))
    assert gone["errors"][0]["suggestion"] == f"{CLAIM}:doepp-2010"


def test_a_position_without_a_status_is_written_changed_and_refused(desk: Desk) -> None:
    words = {"verdict": "Do not use it.", "jurisdiction": "England", "status": None}
    made = desk.must(
        201, "ben", "POST", collection("assessment"), a_record("assessment", "nice", **words)
    )
    path = native("assessment", made["id"])
    shown = desk.must(200, None, "GET", path)
    assert {name: shown[name] for name in words} == words
    answer = desk.ask("ben", "PATCH", path, {"verdict": None}, If_Match=NOW)
    assert answer.status_code == 422
    assert problem(answer)["errors"][0]["pointer"] == "/verdict"
    desk.must(200, "ben", "PATCH", path, {"verdict": None, "status": "refuted"}, If_Match=NOW)
    assert desk.must(200, None, "GET", path)["status"] == "refuted"
    assert desk.disagreements() == []


def test_findings_as_numbers_are_written_and_changed_over_http(desk: Desk) -> None:
    numbers = {
        "effects": [{"measure": "odds ratio", "estimate": 1.5}],
        "groups": [{"name": "sham", "n": 5, "events": 2}],
        "graded_down": ["quality", "quality"],
    }
    body = a_record("evidence", "mine", **numbers)
    made = desk.must(201, "anna", "POST", collection("evidence"), body)["record"]
    assert [(each["measure"], each["estimate"]) for each in made["effects"]] == [
        ("odds ratio", 1.5)
    ]
    assert (made["groups"], made["graded_down"]) == (numbers["groups"], numbers["graded_down"])
    path = f"/v1/evidence/{CLAIM}:mine"
    worse = {"groups": [{"name": "sham", "n": 5, "events": 6}]}
    answer = desk.ask("anna", "PATCH", path, worse, If_Match=NOW)
    assert answer.status_code == 422
    assert problem(answer)["errors"][0]["pointer"] == "/groups/0/events"
    made = desk.must(200, "anna", "PATCH", path, {"effects": []}, If_Match=NOW)["record"]
    assert (made["effects"], made["groups"]) == ([], numbers["groups"])
