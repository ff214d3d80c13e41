"""Many decisions in one call: in any order, all or nothing or each by itself."""

from typing import Any

import pytest

from api.http.rate_limits import Limit
from tests.api.curating import CLAIM, Desk, serial

DECIDE = "/v1/reviews:decide"


def decision(desk: Desk, kind: str, record: str, action: str = "accept", **more: Any) -> Any:
    """Return a decision on a record as it stands."""
    revision = desk.record(kind, record)["revision"]
    return {"kind": kind, "record": record, "action": action, "revision": revision, **more}


def a_set(desk: Desk) -> list[Any]:
    """Propose records that refer to each other, and return their acceptance, the last one first."""
    topic = desk.propose("anna", "topic")
    source = desk.propose("anna", "source")
    version = desk.propose("anna", "source", versions=[{"source": source, "type": "version_of"}])
    claim = desk.propose("anna", "claim", topics=[topic])
    relation = desk.propose("anna", "relation", CLAIM, claim)
    part = {"claim": claim, "source": version}
    occurrence = desk.propose("anna", "occurrence", **part)
    line = desk.propose("anna", "evidence", **part, relation_type="comments_on",
                        relation_target=CLAIM)  # fmt: skip
    names = [
        *(("topic", topic), ("source", source), ("source", version), ("claim", claim)),
        *(("relation", relation), ("occurrence", occurrence), ("evidence", line)),
    ]
    return [decision(desk, *name) for name in reversed(names)]


def decide(desk: Desk, decisions: list[Any], status: int = 200, **more: Any) -> Any:
    return desk.must(status, "cleo", "POST", DECIDE, {"decisions": decisions, **more})


def test_a_set_is_accepted_in_any_order_as_one_change(desk: Desk) -> None:
    wanted = a_set(desk)
    before = serial(desk)
    answer = decide(desk, wanted, comment="read")
    assert answer["done"] == len(wanted)
    for given, told in zip(wanted, answer["data"], strict=True):
        assert (told["kind"], told["id"], told["state"]) == (
            given["kind"],
            given["record"],
            "accepted",
        )
        stored = desk.record(given["kind"], given["record"])
        assert stored["revision"] == told["revision"]
        assert (stored["actor"], stored["review"]) == ("cleo", "two_people")
    page = desk.must(200, None, "GET", f"/v1/changes?since={before}")["data"]
    assert {row["change"] for row in page} == {before + 1}
    assert {row["comment"] for row in page if row["action"] == "accept"} == {"read"}


def test_a_set_is_rejected_from_its_end(desk: Desk) -> None:
    wanted = [{**each, "action": "reject", "comment": each["record"]} for each in a_set(desk)]
    answer = decide(desk, wanted[::-1])
    assert answer["done"] == len(wanted)
    for each in wanted:
        stored = desk.record(each["kind"], each["record"])
        assert (stored["state"], stored["comment"]) == ("rejected", each["record"])


def test_all_or_nothing(desk: Desk) -> None:
    good = decision(desk, "evidence", desk.propose("anna", "evidence"))
    own = decision(desk, "evidence", desk.propose("cleo", "evidence"))
    stale = {**decision(desk, "evidence", desk.propose("anna", "evidence")), "revision": 1}
    why = decision(desk, "evidence", desk.propose("anna", "evidence"), "reject")
    absent = {**good, "record": f"{CLAIM}:nobody"}
    odd = {**good, "record": "nobody"}
    before = serial(desk)
    told = decide(desk, [good, own, stale, why, absent, odd], 409)
    assert [(each["pointer"], each["code"]) for each in told["errors"]] == [
        ("/decisions/1", "forbidden"),
        ("/decisions/2", "precondition_failed"),
        ("/decisions/3", "invalid_record"),
        ("/decisions/4", "not_found"),
        ("/decisions/5", "not_found"),
    ]
    assert serial(desk) == before
    assert desk.record("evidence", good["record"])["state"] == "submitted"


def test_each_by_itself(desk: Desk) -> None:
    source = desk.propose("anna", "source")
    own = desk.propose("cleo", "evidence")
    resting = desk.propose("anna", "evidence", source=source)
    lone = desk.propose("anna", "evidence")
    gone = desk.propose("anna", "claim")
    child = desk.propose("anna", "evidence", claim=gone)
    wanted = [
        decision(desk, "evidence", resting),
        {**decision(desk, "source", source), "revision": 1},
        decision(desk, "evidence", own),
        decision(desk, "evidence", lone),
        decision(desk, "claim", gone, "reject", comment="no"),
        decision(desk, "evidence", child),
    ]
    answer = decide(desk, wanted, mode="each")
    told = [
        (each["done"], each["state"], (each["error"] or {}).get("code")) for each in answer["data"]
    ]
    assert told == [
        (False, "submitted", "conflict"),
        (False, "submitted", "precondition_failed"),
        (False, "submitted", "forbidden"),
        (True, "accepted", None),
        (True, "rejected", None),
        # It cannot be accepted before its claim is, and falls with it.
        (False, "rejected", "conflict"),
    ]
    assert answer["done"] == 2
    assert answer["data"][0]["error"]["errors"][0]["code"] == "not_accepted"
    # What was refused left nothing behind: the serials have no gap.
    assert [row["action"] for row in _since(desk, lone)] == ["accept", "reject", "reject"]
    # Each is a change of its own, which is undone without the others.
    assert desk.undo(desk.record("evidence", lone)["serial"]) == [f"evidence/{lone}"]
    assert desk.record("claim", gone)["state"] == "rejected"


def _since(desk: Desk, record: str) -> Any:
    first = desk.record("evidence", record)["serial"]
    return desk.must(200, "dora", "GET", f"/v1/changes?since={first - 1}")["data"]


def test_works_that_cite_each_other_do_not_stop_the_others(desk: Desk) -> None:
    first = desk.propose("anna", "source")
    second = desk.propose("anna", "source", cites=[{"source": first}])
    path = f"/v1/sources/{first}"
    desk.must(200, "anna", "PATCH", path, {"cites": [{"source": second}]}, If_Match="now")
    line = desk.propose("anna", "evidence")
    names = (("source", first), ("source", second), ("evidence", line))
    answer = decide(desk, [decision(desk, *name) for name in names], mode="each")
    assert [each["done"] for each in answer["data"]] == [False, False, True]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"action": "purge"}, "/decisions/0/action"),
        ({"kind": "thing"}, "/decisions/0/kind"),
        ({"revision": None}, "/decisions/0/revision"),
        ({"colour": "red"}, "/decisions/0/colour"),
    ],
)
def test_a_decision_of_a_wrong_form_is_refused_in_either_mode(
    change: dict[str, Any], pointer: str, untouched_desk: Desk
) -> None:
    wanted = {"kind": "evidence", "record": f"{CLAIM}:x", "action": "accept", "revision": 1}
    told = decide(untouched_desk, [{**wanted, **change}], 422, mode="each")
    assert [each["pointer"] for each in told["errors"]] == [pointer]


def test_a_record_stands_once_and_there_is_a_most(desk: Desk) -> None:
    one = decision(desk, "evidence", desk.propose("anna", "evidence"))
    told = decide(desk, [one, {**one, "action": "reject"}], 422)
    assert [each["pointer"] for each in told["errors"]] == ["/decisions/1/record"]
    decide(desk, [one] * 501, 422)
    decide(desk, [], 422)


def test_a_repetition_is_answered_and_each_decision_counts(desk: Desk) -> None:
    wanted = [decision(desk, "evidence", desk.propose("anna", "evidence")) for _ in range(3)]
    app: Any = desk.client.app
    app.state.limits.writes_by_key = Limit(100)
    body = {"decisions": wanted}
    first = desk.ask("cleo", "POST", DECIDE, body, Idempotency_Key="one")
    assert '"writes_by_key";r=97' in first.headers["ratelimit"]
    before = serial(desk)
    again = desk.ask("cleo", "POST", DECIDE, body, Idempotency_Key="one")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert serial(desk) == before
