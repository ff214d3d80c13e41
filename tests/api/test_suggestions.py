"""Suggestions of changes to what is accepted, and comments: who sees them, and what becomes of
them.
"""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.main import create_app
from api.settings import Settings
from models.records.revision import Revision
from models.records.serializers import table
from tests.api.curating import CLAIM, NOW, UNLIMITED, Desk, native, serial

LINE = f"evidence/{CLAIM}:doepp-2010"
CHANGE = {
    "about": LINE,
    "action": "change",
    "patch": {"finding": "Read anew.", "level": "3"},
    "reason": "Table 2 says so.",
}
RETRACTION = {"about": LINE, "action": "retract", "reason": "It is about something else."}


def suggest(desk: Desk, who: str = "anna", **more: Any) -> str:
    return str(desk.must(201, who, "POST", "/v1/suggestions", {**CHANGE, **more})["id"])


def get(desk: Desk, suggestion: str, who: str | None = "cleo") -> Any:
    return desk.must(200, who, "GET", f"/v1/suggestions/{suggestion}")


def line(desk: Desk) -> Any:
    return desk.record(*LINE.split("/"))["record"]


def accept(desk: Desk, suggestion: str, who: str = "cleo", status: int = 200, **more: Any) -> Any:
    path = f"/v1/records/suggestion/{suggestion}:accept"
    return desk.must(status, who, "POST", path, more, If_Match=NOW)


def test_a_change_is_suggested_shown_previewed_and_accepted(desk: Desk) -> None:
    before = line(desk)
    public = desk.must(200, None, "GET", f"/v1/claims/{CLAIM}")
    made = suggest(desk, source="cochrane-2019")
    found = get(desk, made, "anna")
    assert (found["state"], found["proposed_by"], found["claim"]) == ("submitted", "anna", CLAIM)
    assert not found["outdated"]
    assert found["changes"] == [
        {
            "field": "level",
            "now": before["level"],
            "suggested": "3",
            "outdated": False,
        },
        {
            "field": "finding",
            "now": before["finding"],
            "suggested": "Read anew.",
            "outdated": False,
        },
    ]
    assert desk.must(200, None, "GET", f"/v1/claims/{CLAIM}") == public
    preview = desk.must(200, "anna", "POST", f"/v1/suggestions/{made}:preview")
    assert [each["claim"] for each in preview["claims"]] == [CLAIM]
    ranks = [
        next(row for row in preview["claims"][0][when]["lines"] if row["id"] == LINE[9:])["level"]
        for when in ("before", "after")
    ]
    assert ranks == [before["level"], "3"]
    assert line(desk) == before

    accept(desk, made)
    assert line(desk) == {**before, "finding": "Read anew.", "level": "3"}
    accepted = get(desk, made, None)
    assert (accepted["state"], accepted["record"]["taken"]) == ("accepted", ["level", "finding"])
    last = desk.must(200, None, "GET", f"/v1/revisions/{serial(desk)}")
    assert (last["record"], last["actor"]) == (LINE, "cleo")
    assert last["comment"] == f"Table 2 says so. (suggested by anna: suggestion/{made})"
    assert desk.disagreements() == []

    # One change did both, and undoing it leaves the suggestion waiting again.
    desk.undo(serial(desk), "ben")
    assert line(desk) == before
    assert get(desk, made)["state"] == "submitted"
    assert desk.disagreements() == []


def test_it_may_be_accepted_field_by_field(desk: Desk) -> None:
    before, made = line(desk), suggest(desk)
    refused = accept(desk, made, status=422, fields=["direction"])
    assert refused["errors"][0]["allowed"] == ["level", "finding"]
    accept(desk, made, fields=["finding"])
    assert line(desk) == {**before, "finding": "Read anew."}
    assert get(desk, made)["record"]["taken"] == ["finding"]
    topic = desk.propose("anna", "topic")
    path = f"/v1/records/topic/{topic}:accept"
    told = desk.must(422, "cleo", "POST", path, {"fields": ["label"]}, If_Match=NOW)
    assert told["errors"][0]["code"] == "bad_combination"


def test_null_takes_a_field_away(desk: Desk) -> None:
    people = line(desk)["sample_size"]
    made = suggest(desk, patch={"sample_size": None})
    assert get(desk, made)["changes"] == [
        {"field": "sample_size", "now": people, "suggested": None, "outdated": False}
    ]
    accept(desk, made)
    assert line(desk)["sample_size"] is None
    path = "/v1/suggestions"
    told = desk.must(422, "anna", "POST", path, {**CHANGE, "patch": {"finding": None}})
    assert [each["pointer"] for each in told["errors"]] == ["/patch/finding"]


@pytest.mark.parametrize(("who", "status"), [("anna", 403), ("emil", 403), (None, 401)])
def test_only_another_curator_accepts(desk: Desk, who: str | None, status: int) -> None:
    made = suggest(desk)
    path = f"/v1/records/suggestion/{made}:accept"
    desk.must(status, who, "POST", path, {}, If_Match=NOW)
    own = suggest(desk, "cleo")
    accept(desk, own, "cleo", 403)
    # Two people stand behind a change of one's own record that another one suggests.
    mine = desk.accepted("evidence", by="cleo")
    about = f"evidence/{mine}"
    accept(desk, suggest(desk, about=about, patch={"finding": "Better."}), "cleo")
    assert desk.record("evidence", mine)["record"]["finding"] == "Better."


def test_nobody_else_sees_it_before(desk: Desk) -> None:
    made = suggest(desk)
    for who in (None, "emil"):
        assert desk.ask(who, "GET", f"/v1/suggestions/{made}").status_code == 404
        assert desk.must(200, who, "GET", "/v1/suggestions")["data"] == []
    for who in ("anna", "ben"):
        (found,) = desk.must(200, who, "GET", f"/v1/suggestions?about={LINE}")["data"]
        assert found == get(desk, made, who)
        assert [each["id"] for each in desk.must(200, who, "GET", "/v1/reviews")["data"]] == [made]
        beside = desk.must(200, who, "GET", f"/v1/claims/{CLAIM}?include=submitted")["submitted"]
        assert [each["id"] for each in beside] == [made]
    (withheld,) = desk.must(200, None, "GET", f"/v1/changes?since={serial(desk) - 1}")["data"]
    assert (withheld["record"], withheld["comment"], withheld["actor"]) == (None, None, None)


def test_who_proposed_a_record_sees_what_is_said_of_it(desk: Desk) -> None:
    mine = desk.accepted("evidence", by="emil")
    about = f"evidence/{mine}"
    made = suggest(desk, about=about, patch={"finding": "Better."})
    said = desk.must(201, "anna", "POST", "/v1/comments", {"about": about, "text": "Sure?"})
    assert get(desk, made, "emil")["record"]["addressee"] == "emil"
    (comment,) = desk.must(200, "emil", "GET", f"/v1/comments?about={about}")["data"]
    assert comment["id"] == said["id"]


def test_a_newer_change_marks_it_outdated_and_it_is_carried_over(desk: Desk) -> None:
    made = suggest(desk)
    path = f"/v1/{LINE}"
    desk.must(200, "ben", "PATCH", path, {"sample_size": 77}, If_Match=NOW)
    assert not get(desk, made)["outdated"], "another field was changed"
    desk.must(200, "ben", "PATCH", path, {"finding": "Ben's words."}, If_Match=NOW)
    found = get(desk, made)
    assert found["outdated"]
    assert [each["field"] for each in found["changes"] if each["outdated"]] == ["finding"]
    refused = accept(desk, made, status=409)
    assert [(each["code"], each["pointer"]) for each in refused["errors"]] == [
        ("outdated", "/finding")
    ]
    path = f"/v1/suggestions/{made}:carry_over"
    desk.must(404, "emil", "POST", path, If_Match=NOW)
    desk.must(200, "anna", "POST", path, If_Match=NOW)
    carried = get(desk, made)
    assert not carried["outdated"]
    assert carried["record"]["before"]["finding"] == "Ben's words."
    accept(desk, made)
    assert line(desk)["finding"] == "Read anew."
    assert line(desk)["sample_size"] == 77


def test_fields_that_are_not_outdated_may_be_accepted(desk: Desk) -> None:
    made = suggest(desk)
    desk.must(200, "ben", "PATCH", f"/v1/{LINE}", {"finding": "Ben's words."}, If_Match=NOW)
    accept(desk, made, fields=["level"])
    assert (line(desk)["level"], line(desk)["finding"]) == ("3", "Ben's words.")


def test_a_retraction_is_suggested(desk: Desk) -> None:
    made = str(desk.must(201, "anna", "POST", "/v1/suggestions", RETRACTION)["id"])
    preview = desk.must(200, "ben", "POST", f"/v1/suggestions/{made}:preview")
    (claim,) = preview["claims"]
    assert LINE[9:] in [row["id"] for row in claim["before"]["lines"]]
    desk.must(200, "ben", "PATCH", f"/v1/{LINE}", {"sample_size": 77}, If_Match=NOW)
    assert accept(desk, made, status=409)["errors"][0]["code"] == "outdated"
    desk.must(200, "ben", "POST", f"/v1/suggestions/{made}:carry_over", If_Match=NOW)
    accept(desk, made)
    assert line(desk)["state"] == "retracted"
    assert "It is about something else." in desk.ask(None, "GET", f"/v1/{LINE}").text
    assert desk.disagreements() == []


def test_what_is_suggested_of_a_merged_record_goes_over(desk: Desk) -> None:
    old, into = desk.accepted("source", "old"), desk.accepted("source", "into")
    made = suggest(desk, about=f"source/{old}", patch={"note": "Seen."})
    desk.merge("source", old, into)
    assert get(desk, made)["outdated"]
    refused = accept(desk, made, status=409)
    assert refused["errors"][0]["suggestion"] == into
    desk.must(200, "ben", "POST", f"/v1/suggestions/{made}:carry_over", If_Match=NOW)
    accept(desk, made)
    assert desk.record("source", into)["record"]["note"] == "Seen."


def test_it_falls_with_its_record(desk: Desk) -> None:
    mine = desk.accepted("evidence", by="ben")
    made = suggest(desk, about=f"evidence/{mine}", patch={"finding": "Better."})
    desk.retract("evidence", mine)
    assert get(desk, made)["state"] == "rejected"


def test_a_purge_takes_what_was_said_along(desk: Desk) -> None:
    mine = desk.accepted("evidence", by="ben", finding="Private words.")
    about = f"evidence/{mine}"
    made = suggest(desk, about=about, patch={"finding": "Better."})
    said = desk.must(201, "anna", "POST", "/v1/comments", {"about": about, "text": "Private."})
    accept(desk, made)
    desk.retract("evidence", mine)
    desk.decide("purge", "evidence", mine, "dora", "private")
    for kind, record in (("suggestion", made), ("comment", said["id"])):
        assert desk.ask("dora", "GET", f"/v1/records/{kind}/{record}").status_code == 404
    assert "Private" not in str(desk.bodies())
    assert desk.disagreements() == []


WRONG: list[tuple[dict[str, Any], str, int]] = [
    ({"about": "evidence/nothing:there"}, "not_found", 404),
    ({"about": "nonsense"}, "malformed_name", 422),
    ({"about": "comment/c"}, "unknown_term", 422),
    ({"patch": {}}, "bad_patch", 422),
    ({"patch": {"state": "rejected"}}, "fixed_field", 422),
    ({"patch": {"key": "another"}}, "fixed_field", 422),
    ({"patch": {"levle": "3"}}, "unknown_field", 422),
    ({"patch": {"level": "9"}}, "unknown_term", 422),
    ({"patch": {"studies": 0}}, "", 422),
    ({"action": "retract"}, "bad_patch", 422),
    ({"source": "no-such-source"}, "not_found", 404),
    ({"reason": " "}, "", 422),
]


@pytest.mark.parametrize(("more", "code", "status"), WRONG)
def test_what_cannot_be_suggested_is_told(
    untouched_desk: Desk, more: dict[str, Any], code: str, status: int
) -> None:
    told = untouched_desk.must(status, "anna", "POST", "/v1/suggestions", {**CHANGE, **more})
    assert code in (told["code"], *(each["code"] for each in told.get("errors", [])), "")


def test_a_change_that_changes_nothing_is_refused(desk: Desk) -> None:
    same = {**CHANGE, "patch": {"level": line(desk)["level"]}}
    told = desk.must(422, "anna", "POST", "/v1/suggestions", same)
    assert told["errors"][0]["code"] == "no_difference"
    nobody = desk.propose("anna", "evidence")
    told = desk.must(
        409, "anna", "POST", "/v1/suggestions", {**CHANGE, "about": f"evidence/{nobody}"}
    )
    assert "submitted" in told["detail"]


def test_its_author_changes_and_withdraws_it(desk: Desk) -> None:
    made = suggest(desk)
    path = native("suggestion", made)
    desk.must(403, "ben", "PATCH", path, {"reason": "Mine."}, If_Match=NOW)
    desk.must(
        200, "anna", "PATCH", path, {"patch": {"level": None, "sample_size": 5}}, If_Match=NOW
    )
    assert get(desk, made)["record"]["patch"] == {"sample_size": 5, "finding": "Read anew."}
    desk.must(200, "anna", "DELETE", path, If_Match=NOW)
    assert get(desk, made)["state"] == "withdrawn"
    kept = suggest(desk)
    accept(desk, kept)
    told = desk.must(409, "ben", "PATCH", native("suggestion", kept), {"reason": "x"}, If_Match=NOW)
    assert "accepted" in told["detail"]


def test_comments_wait_until_a_curator_accepts_them(desk: Desk) -> None:
    body = {"about": f"claim/{CLAIM}", "text": "The link is dead.", "flag": "error"}
    said = desk.must(201, "anna", "POST", "/v1/comments", body)["id"]
    reply = {"about": f"comment/{said}", "text": "Which one?"}
    desk.must(201, "ben", "POST", "/v1/comments", reply)
    assert desk.must(200, None, "GET", "/v1/comments")["data"] == []
    (answer,) = desk.must(200, "anna", "GET", f"/v1/comments?about=comment/{said}")["data"]
    assert answer["proposed_by"] == "ben"
    desk.accept("comment", said)
    (shown,) = desk.must(200, None, "GET", f"/v1/comments?claim={CLAIM}&flag=error")["data"]
    assert shown["record"]["text"] == "The link is dead."
    assert desk.must(200, None, "GET", "/v1/comments?flag=duplicate")["data"] == []
    assert desk.disagreements() == []


def test_a_base_may_discuss_in_public(desk: Desk) -> None:
    settings = Settings(database_url=desk.store.url, discussion="public", **UNLIMITED)
    with TestClient(create_app(settings)) as client:
        open_desk = Desk.__new__(Desk)
        open_desk.__dict__.update({**desk.__dict__, "client": client})
        made = suggest(open_desk)
        assert get(open_desk, made, None)["record"]["public"] is True
        (found,) = open_desk.must(200, None, "GET", "/v1/suggestions")["data"]
        assert found["id"] == made
        batch = {"records": [{"record": "comment", "about": LINE, "text": "Which table?"}]}
        (said,) = open_desk.must(201, "emil", "POST", "/v1/claims:batch", batch)["data"]
        assert said["record"]["public"] is True
        open_desk.decide("reject", "suggestion", made, comment="No.")
        assert open_desk.ask(None, "GET", f"/v1/suggestions/{made}").status_code == 404
        assert open_desk.must(200, None, "GET", "/v1/suggestions?state=rejected")["data"] == []


def undone(desk: Desk, record: str) -> None:
    """Take back the acceptance of a line."""
    desk.undo(desk.record("evidence", record)["serial"], "cleo")


def test_what_is_hidden_again_is_not_shown_beside_a_suggestion(desk: Desk) -> None:
    mine = desk.accepted("evidence", by="emil")
    made = suggest(desk, about=f"evidence/{mine}", patch={"finding": "Better."})
    undone(desk, mine)
    path = native("evidence", mine)
    desk.must(200, "emil", "PATCH", path, {"finding": "Not for anna."}, If_Match=NOW)
    assert desk.ask("anna", "GET", f"/v1/records/evidence/{mine}").status_code == 404
    assert "Not for anna." not in desk.ask("anna", "GET", f"/v1/suggestions/{made}").text
    assert get(desk, made, "cleo")["changes"][0]["now"] == "Not for anna."


def test_what_is_said_of_a_proposal_is_public_no_sooner_than_it(desk: Desk) -> None:
    hidden = desk.propose("emil", "source")
    body = {"about": f"source/{hidden}", "text": "Which year?"}
    settings = Settings(database_url=desk.store.url, discussion="public", **UNLIMITED)
    with TestClient(create_app(settings)) as client:
        open_desk = Desk.__new__(Desk)
        open_desk.__dict__.update({**desk.__dict__, "client": client})
        said = open_desk.must(201, "ben", "POST", "/v1/comments", body)["id"]
        assert open_desk.must(200, None, "GET", "/v1/comments")["data"] == []
    tag = desk.tag(f"/v1/records/source/{hidden}")
    refused = desk.must(409, "cleo", "POST", f"/v1/records/comment/{said}:accept", {}, If_Match=NOW)
    assert refused["errors"][0]["code"] == "not_accepted"
    assert desk.tag(f"/v1/records/source/{hidden}") == tag
    desk.accept("source", hidden)
    desk.accept("comment", said)
    assert desk.must(200, None, "GET", f"/v1/comments/{said}")["state"] == "accepted"


def test_a_comment_leaves_the_version_of_its_claim(desk: Desk) -> None:
    before = desk.tag(f"/v1/claims/{CLAIM}", None)
    body = {"about": f"claim/{CLAIM}", "text": "Well said."}
    desk.accept("comment", desk.must(201, "anna", "POST", "/v1/comments", body)["id"])
    assert desk.tag(f"/v1/claims/{CLAIM}", None) == before
    assert desk.disagreements() == []


def test_a_purge_finds_what_was_once_said_of_a_record(desk: Desk) -> None:
    old, into = (
        desk.accepted("source", "old", title="Secret words"),
        desk.accepted("source", "into"),
    )
    carried = suggest(desk, about=f"source/{old}", patch={"title": "Plain"})
    moved = suggest(desk, about=f"source/{old}", patch={"title": "Plainer"})
    path = native("suggestion", moved)
    desk.must(200, "anna", "PATCH", path, {"about": f"source/{into}"}, If_Match=NOW)
    desk.merge("source", old, into)
    desk.must(200, "ben", "POST", f"/v1/suggestions/{carried}:carry_over", If_Match=NOW)
    told = desk.decide("purge", "source", old, "dora", "private")
    assert (told["kind"], told["id"]) == ("source", old)
    reason = suggest(desk, reason="Secret words of a patient.", patch={"finding": "Read anew."})
    accept(desk, reason)
    desk.retract("suggestion", reason)
    desk.decide("purge", "suggestion", reason, "dora", "private")
    with desk.store.database.read() as connection:
        kept = [*connection.scalars(select(table(Revision).c.body))]
        kept += connection.scalars(select(table(Revision).c.comment))
    assert "Secret words" not in str(kept)
    assert desk.disagreements() == []


def test_a_long_chain_of_comments_is_purged(desk: Desk) -> None:
    about = f"source/{desk.accepted('source', 'of-many')}"
    records = []
    for number in range(400):
        records.append({"record": "comment", "id": f"c-{number}", "about": about, "text": "So."})
        about = f"comment/c-{number}"
    # Each is about the one before.
    desk.must(201, "anna", "POST", "/v1/claims:batch", {"records": records})
    desk.retract("source", "of-many")
    desk.decide("purge", "source", "of-many", "dora", "private")
    assert [name for name in desk.bodies() if name.startswith("comment/")] == []


def test_a_retraction_with_ones_own_suggestion_is_undone(desk: Desk) -> None:
    mine = desk.accepted("evidence", by="ben")
    waiting = suggest(desk, "cleo", about=f"evidence/{mine}", patch={"finding": "Better."})
    gone = desk.retract("evidence", mine, "cleo")
    assert get(desk, waiting)["state"] == "withdrawn"
    desk.undo(gone["serial"], "dora")
    assert get(desk, waiting)["state"] == "submitted"
    assert desk.record("evidence", mine)["state"] == "accepted"


def test_an_accepted_retraction_is_not_rejected_first(desk: Desk) -> None:
    made = str(desk.must(201, "anna", "POST", "/v1/suggestions", RETRACTION)["id"])
    accept(desk, made)
    path = f"/v1/changes?since={serial(desk) - 2}"
    steps = desk.must(200, "cleo", "GET", path)["data"]
    assert [(each["record"], each["action"]) for each in steps] == [
        (f"suggestion/{made}", "accept"),
        (LINE, "retract"),
    ]


def test_what_waits_about_a_part_falls_with_the_claim(desk: Desk) -> None:
    claim = desk.accepted("claim", "short-lived")
    line = desk.accepted("evidence", claim=claim)
    about = f"evidence/{line}"
    waiting = suggest(desk, about=about, patch={"finding": "Better."})
    # A curator may accept what another suggests, also where parts of it are the curator's own.
    desk.accepted("evidence", by="cleo", claim=claim)
    body = {**RETRACTION, "about": f"claim/{claim}"}
    made = str(desk.must(201, "emil", "POST", "/v1/suggestions", body)["id"])
    (told,) = desk.must(200, "emil", "POST", f"/v1/suggestions/{made}:preview")["claims"]
    assert (told["claim"], told["after"]) == (claim, None)
    accept(desk, made, "cleo")
    assert get(desk, waiting)["state"] == "rejected"


def test_other_words_leave_a_suggestion_outdated(desk: Desk) -> None:
    made = suggest(desk)
    desk.must(200, "ben", "PATCH", f"/v1/{LINE}", {"finding": "Ben's words."}, If_Match=NOW)
    path = native("suggestion", made)
    desk.must(200, "anna", "PATCH", path, {"reason": "Table 3 says so."}, If_Match=NOW)
    assert get(desk, made)["outdated"]


def test_many_decisions_on_suggestions_come_in_any_order(desk: Desk) -> None:
    source = desk.propose("anna", "source")
    retraction = str(desk.must(201, "anna", "POST", "/v1/suggestions", RETRACTION)["id"])
    other = suggest(desk)
    named = suggest(desk, about=f"claim/{CLAIM}", patch={"note": "Noted."}, source=source)
    decisions = [
        {"kind": kind, "record": record, "action": action, "comment": "So.", "revision": revision}
        for kind, record, action in (
            ("suggestion", named, "accept"),
            ("suggestion", retraction, "accept"),
            ("suggestion", other, "reject"),
            ("source", source, "accept"),
        )
        for revision in [desk.record(kind, record)["revision"]]
    ]
    told = desk.must(200, "cleo", "POST", "/v1/reviews:decide", {"decisions": decisions})
    assert told["done"] == 4
    assert desk.disagreements() == []
