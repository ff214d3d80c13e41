"""Whose proposal it is: also where a merger copied it under another id, and however the name is
spelled.
"""

from models.access import api_keys
from tests.api.curating import CLAIM, NOW, Desk, native, serial
from tests.api.requests import problem

OLD, INTO = "old-claim", "new-claim"


def test_a_copy_that_a_merger_made_is_still_its_proposer_s(desk: Desk) -> None:
    last = desk.accepted("claim", "last-claim")
    for slug in (OLD, INTO):
        desk.accepted("claim", slug)
    desk.accepted("evidence", "both", claim=INTO)
    desk.accepted("evidence", "both", claim=OLD, by="ben", finding="Ben's own.")
    desk.accepted("occurrence", "alone", claim=OLD, by="ben")
    desk.accepted("occurrence", "seen", claim=OLD)
    desk.merge("claim", OLD, INTO)
    desk.merge("claim", INTO, last)
    copies = (("evidence", f"{last}:both-2"), ("occurrence", f"{last}:alone"))
    for kind, copy in copies:
        assert desk.record(kind, copy)["proposed_by"] == "ben"
        field = {"note": "x"}
        for method, query, body in (("PATCH", "", field), ("DELETE", "?comment=x", None)):
            refused = problem(
                desk.ask("ben", method, native(kind, copy) + query, body, If_Match=NOW)
            )
            assert (refused["status"], refused["code"]) == (403, "forbidden")
    assert desk.record("evidence", f"{last}:both")["proposed_by"] == "anna"
    # What he did not propose, and what he did for another curator, as before.
    desk.must(200, "ben", "PATCH", f"/v1/occurrences/{last}:seen", {"note": "x"}, If_Match=NOW)
    for kind, copy in copies:
        changed = desk.must(200, "cleo", "PATCH", native(kind, copy), {"note": "y"}, If_Match=NOW)
        desk.must(403, "ben", "POST", f"/v1/revisions/{changed['serial']}:undo", {"comment": "x"})


def test_the_place_of_a_copy_is_free_once_the_merger_is_undone(desk: Desk) -> None:
    for slug in (OLD, INTO):
        desk.accepted("claim", slug)
        desk.accepted("evidence", "both", claim=slug, finding=f"Of {slug}.")
    desk.merge("claim", OLD, INTO)
    desk.undo(serial(desk))
    assert desk.record("evidence", f"{INTO}:both-2")["state"] == "withdrawn"
    assert desk.propose("emil", "evidence", "both-2", claim=INTO) == f"{INTO}:both-2"
    assert desk.record("evidence", f"{INTO}:both-2")["proposed_by"] == "emil"


def test_one_s_own_is_one_s_own_however_the_name_is_spelled(desk: Desk) -> None:
    for who, name, role in (("anna too", "ANNA", "contributor"), ("ben too", "B en", "curator")):
        with desk.store.database.write() as connection:
            desk.plain[who] = api_keys.create_key(connection, api_keys.KeyIn(name=name, role=role))[
                1
            ]
    record = desk.propose("anna", "evidence", "mine")
    path = f"/v1/records/evidence/{record}"
    assert desk.record("evidence", record, "anna too")["proposed_by"] == "anna"
    made = desk.record("evidence", record)["serial"]
    assert desk.must(200, "anna too", "GET", f"/v1/revisions/{made}")["actor"] == "anna"
    for list_ in ("reviews?", f"changes?since={made - 1}&", f"claims/{CLAIM}?include=submitted&"):
        assert record in desk.ask("anna too", "GET", f"/v1/{list_}").text
        assert record not in desk.ask("emil", "GET", f"/v1/{list_}").text
    desk.must(
        200, "anna too", "PATCH", native("evidence", record), {"note": "Changed."}, If_Match=NOW
    )
    desk.must(404, "emil", "PATCH", native("evidence", record), {"note": "x"}, If_Match=NOW)
    desk.must(200, "anna too", "DELETE", native("evidence", record), If_Match=NOW)
    assert desk.propose("anna too", "evidence", "mine") == record
    of_ben = desk.propose("ben", "evidence", "of-ben")
    path = f"/v1/records/evidence/{of_ben}"
    desk.must(403, "ben too", "POST", f"{path}:accept", {}, If_Match=NOW)
    desk.must(200, "ben too", "DELETE", native("evidence", of_ben), If_Match=NOW)


def test_nobody_merges_away_what_others_claims_have_of_them(desk: Desk) -> None:
    for slug in (OLD, INTO):
        desk.accepted("claim", slug)
    # Ties to the claim that goes, of another claim and of the one that stays, where it would tie
    # the claim to itself.
    tie = desk.accepted("relation", OLD, by="ben")
    lost = desk.accepted("relation", OLD, claim=INTO, type="rivals")
    about = {"relation_type": "rivals", "relation_target": OLD}
    desk.accepted("evidence", "on-tie", claim=INTO, by="cleo", **about)
    before = desk.bodies()
    for who, named in (("ben", tie), ("cleo", f"{INTO}:on-tie")):
        refused = problem(
            desk.ask(who, "POST", f"{native('claim', OLD)}:merge", {"into": INTO}, If_Match=NOW)
        )
        assert (refused["status"], refused["code"]) == (403, "forbidden")
        assert named in refused["detail"]
    assert desk.bodies() == before
    desk.merge("claim", OLD, INTO, "dora")
    assert desk.record("relation", lost)["state"] == "retracted"
