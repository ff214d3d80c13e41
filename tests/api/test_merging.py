"""Two records made one, changes taken back, records purged; and what the times of the knowledge
base say of it after that.
"""

from typing import Any

from tests.api.curating import CLAIM, LINE, NOW, Desk, native, serial
from tests.api.mergers import INTO, OLD, THIRD, shown, state, two_claims
from tests.api.requests import problem


def test_two_claims_become_one(desk: Desk) -> None:
    two_claims(desk)
    rejected = desk.propose("emil", "evidence", "was-rejected", OLD)
    desk.decide("reject", "evidence", rejected, comment="no")
    merged = desk.merge("claim", OLD, INTO)
    assert (merged["id"], merged["record"]["topics"]) == (INTO, ["iron", "treatment"])
    whole = desk.must(200, None, "GET", f"/v1/claims/{INTO}")
    assert [each["key"] for each in whole["occurrences"]] == ["alone", "both", "both-2"]
    assert [each["key"] for each in whole["evidence"]] == ["alone", "both", "both-2"]
    assert {each["finding"] for each in whole["evidence"] if each["key"] == "both-2"} == {
        f"Found for {OLD}."
    }
    assert [each["key"] for each in whole["assessments"]] == ["same"]
    ties = {
        (each["type"], each["target"]): [line["key"] for line in each["evidence"]]
        for each in whole["relations"]
    }
    assert ties == {
        ("leads_to", CLAIM): [f"on-leads-to-{CLAIM}"],
        ("rivals", CLAIM): [f"on-rivals-{CLAIM}"],
    }
    pointing = desk.must(200, None, "GET", f"/v1/claims/{CLAIM}")["relations"]
    named = {
        (each["type"], each["target"]): [line["key"] for line in each["evidence"]]
        for each in pointing
    }
    assert named["names", INTO] == [f"on-names-{INTO}", f"on-names-{OLD}"]
    assert ("names", OLD) not in named
    third = desk.must(200, None, "GET", f"/v1/claims/{THIRD}")["relations"]
    assert [each["target"] for each in third if each["type"] == "contradicts"] == [INTO]

    # Where everything went: moved, or nowhere since a claim has no tie to itself.
    assert state(desk, "claim", OLD) == ("merged", INTO)
    assert state(desk, "evidence", f"{OLD}:alone") == ("merged", f"{INTO}:alone")
    assert state(desk, "evidence", f"{OLD}:both") == ("merged", f"{INTO}:both-2")
    assert state(desk, "assessment", f"{OLD}:same") == ("merged", f"{INTO}:same")
    assert state(desk, "relation", f"{OLD}:rivals:{CLAIM}") == ("merged", f"{INTO}:rivals:{CLAIM}")
    assert state(desk, "relation", f"{CLAIM}:names:{OLD}") == ("merged", f"{CLAIM}:names:{INTO}")
    for tie, line in (
        (f"{OLD}:refines:{INTO}", f"{OLD}:on-refines-{INTO}"),
        (f"{INTO}:rivals:{OLD}", f"{INTO}:on-rivals-{OLD}"),
    ):
        assert state(desk, "relation", tie) == state(desk, "evidence", line) == ("retracted", None)
    for kind, record in (
        ("evidence", f"{OLD}:waits"),
        ("relation", f"{OLD}:comments_on:{THIRD}"),
        ("relation", f"ccsvi-full-name:comments_on:{OLD}"),
    ):
        assert state(desk, kind, record) == ("rejected", None)
    waits = desk.record("evidence", f"{THIRD}:waits-on-tie", "emil")
    assert (waits["state"], waits["record"]["relation_target"]) == ("submitted", INTO)
    assert {record["id"] for record in desk.must(200, "cleo", "GET", "/v1/reviews")["data"]} == {
        waits["id"]
    }

    # Whoever asks for what was there is led on, with what they asked.
    for path, place in (
        (f"claims/{OLD}", f"claims/{INTO}"),
        (f"claims/{OLD}?as_of=2020&fields=id,status", f"claims/{INTO}?as_of=2020&fields=id,status"),
        (f"claims/{OLD}/evidence?level=1%2C2", f"claims/{INTO}/evidence?level=1%2C2"),
        (f"claims/{OLD}/explanation", f"claims/{INTO}/explanation"),
        (f"claims/{OLD}/timeline.svg", f"claims/{INTO}/timeline.svg"),
        (f"claims/{OLD}/relations?depth=2", f"claims/{INTO}/relations?depth=2"),
        (f"evidence/{OLD}:both", f"evidence/{INTO}:both-2"),
        (f"occurrences/{OLD}:alone", f"occurrences/{INTO}:alone"),
        (f"assessments/{OLD}:same", f"assessments/{INTO}:same"),
        (f"relations/{CLAIM}:names:{OLD}", f"relations/{CLAIM}:names:{INTO}"),
    ):
        answer = desk.ask(None, "GET", f"/v1/{path}")
        assert (answer.status_code, answer.headers["location"]) == (308, f"/v1/{place}"), path
        assert problem(answer)["code"] == "moved"
        assert desk.ask(None, "GET", answer.headers["location"]).status_code == 200
    assert problem(desk.ask(None, "GET", f"/v1/relations/{OLD}:refines:{INTO}"))["status"] == 410
    assert problem(desk.ask(None, "GET", f"/v1/evidence/{OLD}:was-rejected"))["status"] == 404
    listed = {
        claim["id"]
        for claim in desk.must(200, None, "GET", "/v1/claims?limit=200&fields=id")["data"]
    }
    assert OLD not in listed
    assert INTO in listed
    # What was merged is no more to be changed, or to be referred to.
    desk.must(409, "cleo", "PATCH", f"/v1/claims/{OLD}", {"statement": "x"}, If_Match=NOW)
    desk.must(409, "cleo", "POST", f"/v1/claims/{INTO}:merge", {"into": OLD}, If_Match=NOW)
    desk.must(
        409, "emil", "POST", f"/v1/claims/{CLAIM}/relations", {"type": "refines", "target": OLD}
    )


def test_undoing_a_merger_gives_back_everything(desk: Desk) -> None:
    two_claims(desk)
    before, seen, at = desk.bodies(), shown(desk), serial(desk)
    desk.merge("claim", OLD, INTO)
    after = desk.bodies()
    assert after != before
    # Any revision of it will do; a part, the claim, in the middle.
    desk.undo(at + 5)
    again = desk.bodies()
    assert {name: again[name] for name in before} == before
    # What the merger had made new is out of the way.
    assert {again[name]["state"] for name in again.keys() - before.keys()} == {"withdrawn"}
    assert shown(desk) == seen
    # Once more, and back: the places that were given are given again.
    desk.merge("claim", OLD, INTO)
    assert {name: body for name, body in desk.bodies().items() if name in after} == after
    assert desk.bodies().keys() == after.keys()
    desk.undo(serial(desk))
    assert {name: body for name, body in desk.bodies().items() if name in before} == before


def test_a_merger_that_was_built_on_is_not_undone(desk: Desk) -> None:
    two_claims(desk)
    at = serial(desk)
    desk.merge("claim", OLD, INTO)
    desk.must(
        200, "cleo", "PATCH", f"/v1/evidence/{INTO}:alone", {"finding": "Better."}, If_Match=NOW
    )
    refused = problem(desk.ask("cleo", "POST", f"/v1/revisions/{at + 1}:undo", {"comment": "x"}))
    assert (refused["status"], refused["code"]) == (409, "conflict")
    assert (
        f"evidence/{INTO}:alone was changed since, by revision {serial(desk)}" in refused["detail"]
    )
    # That first, then the merger.
    desk.undo(serial(desk))
    refused = problem(desk.ask("cleo", "POST", f"/v1/revisions/{at + 1}:undo", {"comment": "x"}))
    assert refused["status"] == 409, "an undoing is a change, too"


def test_mergers_in_a_row_lead_on(desk: Desk) -> None:
    for slug in ("first", "second", "third"):
        desk.accepted("claim", slug)
    desk.accepted("evidence", "line", claim="first")
    desk.merge("claim", "first", "second")
    desk.merge("claim", "second", "third")
    assert desk.ask(None, "GET", "/v1/claims/first").headers["location"] == "/v1/claims/second"
    followed = desk.client.get("/v1/claims/first?fields=id", follow_redirects=False)
    assert followed.headers["location"] == "/v1/claims/second?fields=id"
    assert (
        desk.client.get("/v1/evidence/first:line", follow_redirects=True).json()["id"]
        == "third:line"
    )
    desk.retract("claim", "third")
    assert desk.client.get("/v1/claims/first", follow_redirects=True).status_code == 410


def test_a_long_key_that_is_taken_is_shortened(desk: Desk) -> None:
    key = "k" * 100
    for slug in (OLD, INTO):
        desk.accepted("claim", slug)
        desk.accepted("evidence", key, claim=slug, finding=slug)
    desk.merge("claim", OLD, INTO)
    keys = [line["key"] for line in desk.must(200, None, "GET", f"/v1/claims/{INTO}")["evidence"]]
    assert len(set(keys)) == 2
    assert all(len(each) <= 100 for each in keys)


def test_a_merger_that_cannot_be_is_refused(desk: Desk) -> None:
    desk.accepted("claim", "mine")
    desk.propose("anna", "claim", "waits")
    for into, status, code in (
        ("mine", 422, "invalid_record"),
        ("absent", 404, "not_found"),
        ("waits", 409, "conflict"),
    ):
        refused = problem(
            desk.ask("cleo", "POST", "/v1/claims/mine:merge", {"into": into}, If_Match=NOW)
        )
        assert (refused["status"], refused["code"]) == (status, code)
    desk.must(409, "cleo", "POST", "/v1/claims/waits:merge", {"into": "mine"}, If_Match=NOW)
    desk.must(404, "cleo", "POST", "/v1/claims/absent:merge", {"into": "mine"}, If_Match=NOW)
    bodies: list[Any] = [{}, {"into": 5}, {"into": "mine", "more": 1}, {"into": None}, []]
    for body in bodies:
        assert (
            problem(desk.ask("cleo", "POST", f"/v1/claims/{CLAIM}:merge", body, If_Match=NOW))[
                "status"
            ]
            == 422
        )
    # Nobody merges what they proposed, nor what somebody's own lines hang on.
    desk.accepted("claim", "of-ben", by="ben")
    for path, into in (("mine", "of-ben"), ("of-ben", "mine")):
        desk.must(403, "ben", "POST", f"/v1/claims/{path}:merge", {"into": into}, If_Match=NOW)


def two_sources(desk: Desk) -> None:
    """Make two sources that are one work, with lines, quotes and decisions that rest on both."""
    schemes = {
        "old-source": (("doi", "10.1234/old"), ("pmid", "111")),
        "new-source": (("doi", "10.1234/new"), ("isbn", "9780131103627")),
    }
    for slug, given in schemes.items():
        identifiers = [
            {"scheme": scheme, "value": value, "verification": "unverified"}
            for scheme, value in given
        ]
        desk.accepted("source", slug, identifiers=identifiers)
    desk.accepted("evidence", "of-old", source="old-source", independence_group="team")
    desk.accepted("evidence", "of-new", source="new-source", independence_group="team")
    desk.accepted("occurrence", "of-old", source="old-source")
    desk.accepted("evidence", "of-old", claim=THIRD, source="old-source")
    desk.propose("ben", "assessment", "of-old", source="old-source")
    desk.propose("emil", "evidence", "waits", source="old-source")


def test_two_sources_become_one(desk: Desk) -> None:
    two_sources(desk)
    statuses = {
        claim["id"]: claim["status"]
        for claim in desk.must(200, None, "GET", "/v1/claims?limit=200")["data"]
    }
    before, seen, at = desk.bodies(), shown(desk), serial(desk)
    desk.merge("source", "old-source", "new-source")
    assert state(desk, "source", "old-source") == ("merged", "new-source")
    source = desk.must(200, None, "GET", "/v1/sources/new-source")
    assert {(each["scheme"], each["value"]) for each in source["identifiers"]} == {
        ("doi", "10.1234/new"),
        ("isbn", "9780131103627"),
        ("pmid", "111"),
    }
    for kind, record in (
        *(
            ("evidence", f"{CLAIM}:of-old"),
            ("occurrence", f"{CLAIM}:of-old"),
            ("assessment", f"{CLAIM}:of-old"),
        ),
        *(("evidence", f"{THIRD}:of-old"), ("evidence", f"{CLAIM}:waits")),
    ):
        assert desk.record(kind, record)["record"]["source"] == "new-source"
    again = {
        claim["id"]: claim["status"]
        for claim in desk.must(200, None, "GET", "/v1/claims?limit=200")["data"]
    }
    assert again == statuses, "the same work says the same"
    for path, place in (
        ("old-source", "new-source"),
        ("old-source/claims?fields=id", "new-source/claims?fields=id"),
        ("old-source?format=bibtex", "new-source?format=bibtex"),
        ("doi:10.1234/old", "new-source"),
    ):
        answer = desk.ask(None, "GET", f"/v1/sources/{path}")
        assert (answer.status_code, answer.headers["location"]) == (308, f"/v1/sources/{place}"), (
            path
        )
    assert desk.must(200, None, "GET", "/v1/sources/pmid:111")["id"] == "new-source"
    desk.undo(at + 2)
    assert desk.bodies() == before
    assert shown(desk) == seen
    assert desk.must(200, None, "GET", "/v1/sources/pmid:111")["id"] == "old-source"


def test_a_work_does_not_count_as_two(desk: Desk) -> None:
    two_sources(desk)
    desk.must(
        200,
        "cleo",
        "PATCH",
        f"/v1/evidence/{CLAIM}:of-new",
        {"independence_group": "other"},
        If_Match=NOW,
    )
    refused = problem(
        desk.ask(
            "cleo", "POST", "/v1/sources/old-source:merge", {"into": "new-source"}, If_Match=NOW
        )
    )
    assert (refused["status"], refused["errors"][0]["code"]) == (409, "independence_group")
    notice = {"integrity": "concern", "integrity_note": "Figures."}
    desk.must(200, "cleo", "PATCH", "/v1/sources/new-source", notice, If_Match=NOW)
    refused = problem(
        desk.ask(
            "cleo", "POST", "/v1/sources/old-source:merge", {"into": "new-source"}, If_Match=NOW
        )
    )
    assert (refused["status"], refused["errors"][0]["code"]) == (409, "integrity")


def test_every_decision_can_be_taken_back(desk: Desk) -> None:
    record = desk.propose("anna", "evidence", "mine")
    waits, seen = desk.bodies(), shown(desk)
    desk.accept("evidence", record)
    accepted = desk.bodies()
    changed = desk.must(
        200,
        "cleo",
        "PATCH",
        native("evidence", record),
        {"finding": "x", "note": "y"},
        If_Match=NOW,
    )
    assert desk.undo(changed["serial"]) == [f"evidence/{record}"]
    assert desk.bodies() == accepted
    gone = desk.retract("evidence", record)
    desk.undo(gone["serial"])
    assert desk.bodies() == accepted
    undone = desk.record("evidence", record)
    assert (undone["action"], undone["state"], undone["actor"]) == ("undo", "accepted", "cleo")
    # The undoing of an undoing.
    desk.undo(undone["serial"])
    assert state(desk, "evidence", record) == ("retracted", None)
    desk.undo(serial(desk))
    other = desk.propose("anna", "evidence", "other")
    waiting = desk.bodies()
    rejected = desk.decide("reject", "evidence", other, comment="no")
    desk.undo(rejected["serial"])
    assert desk.bodies() == waiting
    accepted_again = desk.accept("evidence", other)
    desk.undo(accepted_again["serial"])
    assert desk.bodies() == waiting
    assert {name: body for name, body in waiting.items() if name != f"evidence/{other}"} == accepted
    assert waits.keys() == accepted.keys()
    assert shown(desk) != seen
    # A claim with its parts.
    desk.accepted("claim", "whole", topics=["iron"])
    for kind, key in (("evidence", "a"), ("occurrence", "b"), ("relation", CLAIM)):
        desk.accepted(kind, key, claim="whole")
    before, seen = desk.bodies(), shown(desk)
    gone = desk.retract("claim", "whole")
    assert "claims/whole" not in shown(desk)
    desk.undo(gone["serial"])
    assert (desk.bodies(), shown(desk)) == (before, seen)


def test_what_is_not_to_be_undone(desk: Desk) -> None:
    record = desk.propose("anna", "evidence", "mine")
    proposed = serial(desk)
    for comment in ({}, {"comment": ""}, {"comment": " "}):
        refused = problem(desk.ask("cleo", "POST", f"/v1/revisions/{proposed}:undo", comment))
        assert (refused["status"], refused["errors"][0]["pointer"]) == (422, "/comment")
    reason = {"comment": "x"}
    desk.must(409, "cleo", "POST", f"/v1/revisions/{proposed}:undo", reason)
    desk.must(404, "cleo", "POST", f"/v1/revisions/{proposed + 100}:undo", reason)
    for given in ("0", "-1", "x", str(2**31)):
        assert problem(desk.ask("cleo", "POST", f"/v1/revisions/{given}:undo", reason))[
            "status"
        ] in (400, 404)
    # What a program loaded is more than a curator takes back.
    desk.must(403, "cleo", "POST", "/v1/revisions/1:undo", reason)
    accepted = desk.accept("evidence", record)
    source = desk.must(
        200, "cleo", "PATCH", "/v1/sources/doepp-2010", {"note": "Seen."}, If_Match=NOW
    )
    # The claim was only derived anew since, which is no change of what was decided.
    desk.undo(accepted["serial"])
    desk.undo(source["serial"])
    withdrawn = desk.must(200, "anna", "DELETE", native("evidence", record), If_Match=NOW)
    desk.must(409, "cleo", "POST", f"/v1/revisions/{withdrawn['serial']}:undo", reason)
    mine = desk.accepted("evidence", "of-ben", by="ben")
    desk.must(
        403, "ben", "POST", f"/v1/revisions/{desk.record('evidence', mine)['serial']}:undo", reason
    )


def test_what_waits_on_what_an_undoing_takes_back_is_rejected(desk: Desk) -> None:
    claim = desk.accepted("claim")
    desk.retract("claim", claim)
    desk.undo(serial(desk))
    back = serial(desk)
    about = {"relation_type": "comments_on", "relation_target": CLAIM}
    waiting = [
        ("relation", desk.propose("emil", "relation", CLAIM, claim)),
        ("evidence", desk.propose("emil", "evidence", "on-tie", claim, **about)),
        ("evidence", desk.propose("ben", "evidence", "of-ben", claim)),
    ]
    before = desk.bodies()
    assert desk.undo(back) == [f"claim/{claim}"]
    assert {state(desk, *each) for each in waiting} == {("rejected", None)}
    assert desk.disagreements() == []
    desk.undo(serial(desk), "dora")
    assert desk.bodies() == before


def test_an_undone_acceptance_is_told_without_what_is_proposed(desk: Desk) -> None:
    record = desk.accepted("evidence", "once-public", note="hidden-note")
    desk.undo(desk.record("evidence", record)["serial"])
    number = desk.record("evidence", record)["serial"]
    path = f"/v1/revisions/{number}"
    told = desk.must(200, None, "GET", path)
    assert (told["record"], told["claim"]) == (f"evidence/{record}", CLAIM)
    assert (told["action"], told["state"]) == ("undo", "submitted")
    assert (told["actor"], told["comment"], told["body"]) == ("cleo", "wrong", None)
    assert desk.must(200, "dora", "GET", path)["body"]["note"] == "hidden-note"
    assert desk.tag(path, None) != desk.tag(path, "dora")
    for query in (
        f"claim={CLAIM}",
        "topic=iron,ccsvi",
        "kind=evidence",
    ):
        feed = f"/v1/changes?include=body&since={number - 1}&limit=1&{query}"
        assert desk.must(200, None, "GET", feed)["data"] == [told]
    listed = desk.must(200, None, "GET", f"/v1/claims/{CLAIM}/revisions?sort=-id&limit=3")
    assert number in [each["serial"] for each in listed["data"]]
    citation = desk.must(200, None, "GET", "/v1/sources/doepp-2010")["citation"]
    title = f"Evidence is a proposal again: {citation}"
    assert title in desk.ask(None, "GET", f"/changes.atom?claim={CLAIM}").text
    page = desk.ask(None, "GET", f"/changes?claim={CLAIM}").text
    assert "<strong>Evidence is a proposal again</strong>" in page
    # What happens to the proposal from here on concerns its proposer and the curators alone.
    desk.must(200, "anna", "PATCH", native("evidence", record), {"note": "x"}, If_Match=NOW)
    changed = desk.record("evidence", record)["serial"]
    assert desk.must(200, None, "GET", f"/v1/revisions/{changed}")["record"] is None
    assert desk.disagreements() == []


def test_a_claim_that_was_taken_back_is_told_without_a_link(desk: Desk) -> None:
    claim = desk.accepted("claim", "once-accepted")
    desk.undo(desk.record("claim", claim)["serial"])
    page = desk.ask(None, "GET", "/changes").text
    assert "<strong>Claim is a proposal again</strong>: The claim once-accepted holds." in page
    entry = desk.ask(None, "GET", "/changes.atom").text.partition("</entry>")[0]
    assert "Claim is a proposal again: The claim once-accepted holds." in entry
    assert "/claims/once-accepted" not in entry


def test_an_undone_rejection_was_never_public(desk: Desk) -> None:
    record = desk.propose("anna", "evidence", "never-public")
    rejected = desk.decide("reject", "evidence", record, comment="no")
    desk.undo(rejected["serial"])
    number = desk.record("evidence", record)["serial"]
    told = desk.must(200, None, "GET", f"/v1/revisions/{number}")
    assert {told[name] for name in ("record", "claim", "actor", "comment", "body")} == {None}
    for path in (f"/v1/claims/{CLAIM}/revisions?sort=-id&limit=3", f"/changes?claim={CLAIM}"):
        assert "never-public" not in desk.ask(None, "GET", path).text


def a_work_twice(desk: Desk, old: dict[str, Any], into: dict[str, Any]) -> None:
    for slug, fields in (("moe-2009", old), ("moe-2009-again", into)):
        desk.accepted("source", slug, **{"issued": None, "authors": [], **fields})


def test_a_merger_fills_what_the_other_lacks_and_lists_what_differs(desk: Desk) -> None:
    old = {
        "title": "Veins",
        "authors": [{"family": "Moe", "given": "A"}],
        "authors_complete": False,
        "container_title": "Phlebology",
        "volume": "24",
        "page": "1-9",
        "epub_date": "2009-05-01",
        "sample_size": 40,
    }
    a_work_twice(desk, old, {"title": "Veins again", "volume": "25", "page": "1-10"})
    path = "/v1/sources/moe-2009:merge"
    body = {"into": "moe-2009-again", "take": ["page"]}
    merged = desk.must(200, "cleo", "POST", path, body, If_Match=desk.tag("/v1/sources/moe-2009"))
    assert merged["filled"] == ["container_title", "epub_date", "sample_size", "authors"]
    assert merged["differences"] == [
        {"field": "title", "kept": "Veins again", "other": "Veins"},
        {"field": "volume", "kept": "25", "other": "24"},
        {"field": "page", "kept": "1-9", "other": "1-10"},
    ]
    source = desk.must(200, None, "GET", "/v1/sources/moe-2009-again")
    assert source["published"] == "2009-05-01"
    assert source["authors_complete"] is False
    assert (source["volume"], source["page"]) == ("25", "1-9")
    assert (merged["id"], merged["action"], merged["actor"]) == ("moe-2009-again", "merge", "cleo")
    # The change that is told is the merger's own.
    assert "source/moe-2009" in desk.undo(merged["serial"])
    assert desk.must(200, None, "GET", "/v1/sources/moe-2009-again")["container_title"] is None


def test_a_merger_takes_only_fields_that_are_there(desk: Desk) -> None:
    two_claims(desk)
    refused = problem(
        desk.ask(
            "cleo",
            "POST",
            f"/v1/claims/{OLD}:merge",
            {"into": INTO, "take": ["statment"]},
            If_Match=NOW,
        )
    )
    (error,) = refused["errors"]
    assert (refused["status"], error["pointer"]) == (422, "/take/0")
    assert "statement" in error["allowed"]


def test_what_others_were_merged_into_is_not_taken_back(desk: Desk) -> None:
    desk.accepted("claim", OLD)
    desk.accepted("claim", INTO)
    accepted = serial(desk)
    merger = desk.merge("claim", OLD, INTO)["serial"]
    refused = problem(
        desk.ask("dora", "POST", f"/v1/revisions/{accepted}:undo", {"comment": "wrong"})
    )
    assert refused["status"] == 409
    assert f"'{OLD}' was merged into '{INTO}', by revision {merger}" in refused["detail"]
    desk.undo(merger)
    assert f"claim/{INTO}" in desk.undo(accepted, "dora")


def test_what_refers_to_the_merged_is_told_where_it_went(desk: Desk) -> None:
    two_claims(desk)
    desk.merge("claim", OLD, INTO)
    posted = {"type": "refines", "target": OLD}
    for path, body in (
        (f"/v1/claims/{CLAIM}/relations", posted),
        (f"/v1/claims/{OLD}/evidence", {**LINE, "key": "new"}),
    ):
        refused = problem(desk.ask("emil", "POST", path, body))
        assert refused["status"] == 409
        assert refused["errors"][0]["suggestion"] == INTO
        assert f"merged into '{INTO}'" in refused["detail"]


def test_a_change_is_taken_back_from_under_a_later_one_of_other_fields(desk: Desk) -> None:
    claim = desk.accepted("claim", statement="One.", note="a")
    path = f"/v1/claims/{claim}"
    first = desk.must(200, "cleo", "PATCH", path, {"statement": "Two."}, If_Match=NOW)["serial"]
    second = desk.must(200, "cleo", "PATCH", path, {"note": "b"}, If_Match=NOW)["serial"]
    desk.must(200, "cleo", "PATCH", path, {"note": "c"}, If_Match=NOW)
    assert desk.undo(first) == [f"claim/{claim}"]
    record = desk.record("claim", claim)["record"]
    assert (record["statement"], record["note"]) == ("One.", "c")
    refused = problem(
        desk.ask("cleo", "POST", f"/v1/revisions/{second}:undo", {"comment": "wrong"})
    )
    assert "in the same fields (note)" in refused["detail"]


def test_a_change_of_what_was_merged_away_since_is_not_undone(desk: Desk) -> None:
    old, into = desk.accepted("source", "old"), desk.accepted("source", "into")
    path = native("source", old)
    changed = desk.must(200, "ben", "PATCH", path, {"note": "Seen."}, If_Match=NOW)["serial"]
    merger = desk.merge("source", old, into)["serial"]
    body = {"comment": "wrong"}
    refused = desk.must(409, "cleo", "POST", f"/v1/revisions/{changed}:undo", body)
    assert "undo that first" in refused["detail"]
    desk.undo(merger)
    desk.undo(changed)
    assert desk.record("source", old)["record"]["note"] is None
