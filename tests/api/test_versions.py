"""Which version a write is about, requests that are sent twice, and batches."""

from typing import Any

from sqlalchemy import select, update

from models.records.serializers import table
from models.write.idempotency import Idempotency
from tests.api.curating import CLAIM, LINE, NOW, Desk, a_record, native, serial
from tests.api.requests import problem

LINES = f"/v1/claims/{CLAIM}/evidence"


def kept(desk: Desk) -> list[Any]:
    with desk.store.database.read() as connection:
        return [dict(row) for row in connection.execute(select(table(Idempotency))).mappings()]


def test_every_change_and_decision_names_its_version(desk: Desk) -> None:
    record = desk.accepted("evidence", "mine")
    proposal = desk.propose("anna", "evidence", "waits")
    gone = desk.propose("anna", "evidence", "gone")
    desk.must(200, "anna", "DELETE", native("evidence", gone), If_Match=NOW)
    desk.accepted("claim", "other")
    desk.accepted("source", "other")
    asked: list[tuple[str, str, str, Any]] = [
        ("cleo", "PATCH", native("evidence", record), {"finding": "x"}),
        ("cleo", "PUT", native("evidence", record), {**LINE, "key": "mine"}),
        ("cleo", "DELETE", f"{native('evidence', record)}?comment=x", None),
        ("anna", "PATCH", native("evidence", proposal), {"finding": "x"}),
        ("anna", "PUT", native("evidence", proposal), {**LINE, "key": "waits"}),
        ("anna", "DELETE", native("evidence", proposal), None),
        ("cleo", "POST", f"/v1/records/evidence/{proposal}:accept", {}),
        ("cleo", "POST", f"/v1/records/evidence/{proposal}:reject", {"comment": "x"}),
        ("dora", "POST", f"/v1/records/evidence/{gone}:purge", {"comment": "x"}),
        ("cleo", "POST", "/v1/claims/other:merge", {"into": CLAIM}),
        ("cleo", "POST", "/v1/sources/other:merge", {"into": "doepp-2010"}),
    ]
    before, at = desk.bodies(), serial(desk)
    for who, method, path, body in asked:
        refused = problem(desk.ask(who, method, path, body))
        assert (refused["status"], refused["code"]) == (428, "precondition_required"), path
        # Another version, and none of several.
        kind, name = (
            path.split("?")[0]
            .split(":merge")[0]
            .removeprefix("/v1/")
            .removeprefix("records/")
            .split("/", 1)
        )
        name = name.removesuffix(":accept").removesuffix(":reject").removesuffix(":purge")
        tag = desk.tag(
            f"/v1/records/{kind if kind == 'evidence' else kind.removesuffix('s')}/{name}"
        )
        for bad in ('"1"', '"1", "2"', '""', 'W/"1"', '"abc"'):
            refused = problem(desk.ask(who, method, path, body, If_Match=bad))
            assert (refused["status"], refused["code"]) == (412, "precondition_failed"), (path, bad)
            assert tag in refused["detail"]
    for bad in (tag.strip('"'), ",", f'"{tag}"', f"w/{tag}"):
        refused = problem(desk.ask("cleo", "PATCH", native("evidence", record), {}, If_Match=bad))
        assert (refused["status"], refused["code"]) == (400, "bad_entity_tag"), bad
        assert "with its quotation marks" in refused["detail"]
    assert (desk.bodies(), serial(desk)) == (before, at)
    tag = desk.tag(f"/v1/records/evidence/{record}")
    for any_of_all in ("*", " * ", f"{tag}, *"):
        refused = problem(
            desk.ask(
                "cleo", "PATCH", native("evidence", record), {"finding": "x"}, If_Match=any_of_all
            )
        )
        assert (refused["status"], refused["code"]) == (428, "precondition_required")
        assert "names no version" in refused["detail"]
    # The last ones are what proxies that compress make of it.
    number = tag.strip('"')
    made = (f"W/{tag}", f'"{number}-gzip"', f'W/"{number}-gzip"', f'"{number};br"')
    for good in (f'"1", {tag}', f'{tag},"1"', f'W/"1" , {tag}', *made):
        desk.must(
            200,
            "cleo",
            "PATCH",
            native("evidence", record),
            {"finding": LINE["finding"]},
            If_Match=good,
        )
    several = [
        ("If-Match", '"1"'),
        ("If-Match", tag),
        ("Authorization", f"Bearer {desk.plain['cleo']}"),
    ]
    path = native("evidence", record)
    assert desk.client.patch(path, json={}, headers=several).status_code == 200
    assert serial(desk) == at, "what changes nothing leaves no revision"


def test_a_stale_version_is_told_what_changed_since(desk: Desk) -> None:
    record = desk.accepted("evidence", "mine")
    path = native("evidence", record)
    tag = desk.tag(path)
    desk.must(200, "ben", "PATCH", path, {"finding": "First."}, If_Match=tag)
    desk.accepted("evidence", "other")
    desk.propose("anna", "evidence", "hidden")
    refused = problem(desk.ask("cleo", "PATCH", path, {"finding": "Second."}, If_Match=tag))
    assert refused["status"] == 412
    told = [error["detail"].partition(" on ")[0] for error in refused["errors"]]
    assert told == [
        f"evidence/{CLAIM}:other: accept by cleo",
        f"evidence/{record}: update by ben",
    ]


def test_a_version_that_was_read_is_good_until_somebody_else_is_faster(desk: Desk) -> None:
    record = desk.accepted("evidence", "mine")
    path = native("evidence", record)
    tag = desk.tag(path, None)
    assert (
        tag == desk.tag(f"/v1/claims/{CLAIM}", None) == desk.tag(f"/v1/records/evidence/{record}")
    )
    first = desk.ask("ben", "PATCH", path, {"finding": "First."}, If_Match=tag)
    assert first.status_code == 200
    desk.must(412, "cleo", "PATCH", path, {"finding": "Second."}, If_Match=tag)
    assert first.headers["etag"] == desk.tag(path, None) != tag
    desk.must(200, "cleo", "PATCH", path, {"finding": "Second."}, If_Match=first.headers["etag"])
    # A proposal has a tag of its own, and does not alter what others see of the claim.
    tag = desk.tag(path, None)
    proposal = desk.propose("anna", "evidence", "waits")
    own = desk.tag(f"/v1/records/evidence/{proposal}")
    assert desk.tag(path, None) == tag != own
    desk.must(
        200, "anna", "PATCH", native("evidence", proposal), {"finding": "Mine."}, If_Match=own
    )
    assert desk.tag(path, None) == tag
    desk.accept("evidence", proposal)
    assert desk.tag(path, None) != tag


def test_put_with_if_none_match_makes_a_new_record_alone(desk: Desk) -> None:
    path, body = f"/v1/evidence/{CLAIM}:mine", {**LINE, "key": "mine"}
    made = desk.ask("anna", "PUT", path, body, If_None_Match="*")
    assert (made.status_code, made.json()["state"]) == (201, "submitted")
    assert made.headers["location"] == f"/v1/records/evidence/{CLAIM}:mine"
    for who in ("anna", "ben", "emil"):
        refused = problem(desk.ask(who, "PUT", path, body, If_None_Match="*"))
        assert (refused["status"], refused["code"]) == (412, "precondition_failed")
    # No other tag makes a new one: which version is meant must be said.
    assert problem(desk.ask("anna", "PUT", path, body, If_None_Match='"1"'))["status"] == 428
    assert problem(desk.ask("anna", "PUT", f"{path}-2", body, If_None_Match='"1"'))["status"] == 404
    assert problem(desk.ask("anna", "PUT", f"{path}-2", body, If_None_Match="*"))["status"] == 422
    without = {name: value for name, value in body.items() if name != "key"}
    desk.must(201, "anna", "PUT", f"{path}-2", without, If_None_Match="*")
    desk.must(404, "anna", "PUT", "/v1/evidence/mine", body, If_None_Match="*")


def test_what_is_sent_twice_is_done_once(desk: Desk) -> None:
    body, key = {**LINE, "key": "mine"}, {"Idempotency_Key": "abc-1"}
    first = desk.ask("anna", "POST", LINES, body, **key)
    at = serial(desk)
    again = desk.ask("anna", "POST", LINES, body, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    for name in ("etag", "location", "content-type", "cache-control"):
        assert first.headers[name] == again.headers[name]
    assert serial(desk) == at
    # The same answer also after the record was changed, for it is the answer to that request.
    desk.must(
        200, "anna", "PATCH", native("evidence", f"{CLAIM}:mine"), {"finding": "x"}, If_Match=NOW
    )
    assert desk.ask("anna", "POST", LINES, body, **key).content == first.content
    # Another request with the same key: another body, address, query.
    other = {**LINE, "key": "other"}
    asked = [
        (LINES, other),
        (f"{LINES}?comment=x", body),
        ("/v1/claims/ms-cause-unknown/evidence", body),
    ]
    for path, given in asked:
        refused = problem(desk.ask("anna", "POST", path, given, **key))
        assert (refused["status"], refused["code"]) == (422, "idempotency_key_reused")
    # A key belongs to who gave it.
    desk.must(201, "emil", "POST", LINES, other, **key)
    assert {(row["actor"], row["key"]) for row in kept(desk)} == {
        ("anna", "abc-1"),
        ("emil", "abc-1"),
    }
    desk.must(201, "anna", "POST", LINES, {**LINE, "key": "fourth"}, Idempotency_Key="x" * 200)


BAD_KEYS = [
    ([""], "is empty"),
    ([" "], "is empty"),
    (["\t"], "is empty"),
    (["a b"], "has a space"),
    (["a, b"], "has a space"),
    (["a\x01b"], "a control character"),
    (["a\tb"], "a control character"),
    (["caf\xe9"], "not ASCII"),
    (["x" * 201], "has 201 characters"),
    (["one", "one"], "is given 2 times"),
    (["one", ""], "is given 2 times"),
]


def test_a_key_that_names_no_request_is_refused(desk: Desk) -> None:
    authorization = (b"Authorization", f"Bearer {desk.plain['anna']}".encode())
    before = serial(desk)
    for keys, wrong in BAD_KEYS:
        headers = [authorization, *((b"Idempotency-Key", key.encode("latin-1")) for key in keys)]
        refused = problem(desk.client.post(LINES, json={**LINE, "key": "third"}, headers=headers))
        assert (refused["status"], refused["errors"][0]["parameter"]) == (400, "Idempotency-Key")
        assert wrong in refused["detail"]
    assert serial(desk) == before


def test_after_a_failure_nothing_is_kept(desk: Desk) -> None:
    key = {"Idempotency_Key": "again"}
    desk.must(422, "anna", "POST", LINES, {**LINE, "key": "mine", "source": "absent"}, **key)
    desk.must(409, "anna", "POST", LINES, {**LINE, "key": "doepp-2010"}, **key)
    desk.must(404, "anna", "POST", "/v1/claims/absent/evidence", {**LINE, "key": "mine"}, **key)
    assert kept(desk) == []
    desk.must(201, "anna", "POST", LINES, {**LINE, "key": "mine"}, **key)


def test_a_decision_is_sent_twice_without_a_conflict(desk: Desk) -> None:
    record = desk.propose("anna", "evidence", "mine")
    path = f"/v1/records/evidence/{record}"
    key = {"If_Match": desk.tag(path), "Idempotency_Key": "decided"}
    first = desk.ask("ben", "POST", f"{path}:accept", {}, **key)
    assert first.status_code == 200
    assert desk.ask("ben", "POST", f"{path}:accept", {}, **key).content == first.content
    # The key is good for no one whose role has gone.
    with desk.store.database.write() as connection:
        connection.exec_driver_sql("UPDATE api_key SET role = 'contributor' WHERE name = 'ben'")
    desk.must(403, "ben", "POST", f"{path}:accept", {}, **key)


def test_an_answer_is_kept_for_a_day(desk: Desk) -> None:
    body, key = {**LINE, "key": "mine"}, {"Idempotency_Key": "daily"}
    desk.must(201, "anna", "POST", LINES, body, **key)
    desk.must(201, "anna", "POST", LINES, {**LINE, "key": "late"}, Idempotency_Key="late")
    rows = table(Idempotency)
    long_ago = update(rows).where(rows.c.key == "daily").values(at="2020-01-01T00:00:00.000000Z")
    with desk.store.database.write() as connection:
        connection.execute(long_ago)
    # After that it is a request like any other; and what is over is cleared away.
    desk.must(409, "anna", "POST", LINES, body, **key)
    desk.must(201, "anna", "POST", LINES, {**LINE, "key": "other"}, **key)
    assert {row["key"] for row in kept(desk)} == {"daily", "late"}
    assert all(row["at"] > "2021" for row in kept(desk))


def test_a_batch_is_stored_whole(desk: Desk) -> None:
    records = [
        {"record": "topic", **a_record("topic", "new-topic")},
        {"record": "source", **a_record("source", "new-source")},
        {"record": "claim", **a_record("claim", "new-claim", topics=["new-topic"])},
        {
            "record": "occurrence",
            "claim": "new-claim",
            **a_record("occurrence", "a", source="new-source"),
        },
        {"record": "relation", "claim": "new-claim", **a_record("relation", CLAIM)},
        {
            "record": "evidence",
            "claim": "new-claim",
            **a_record("evidence", "a", source="new-source"),
        },
        {
            "record": "evidence",
            "claim": "new-claim",
            **a_record("evidence", "b", relation_type="comments_on", relation_target=CLAIM),
        },
    ]
    key = {"Idempotency_Key": "batch"}
    answer = desk.ask(
        "anna", "POST", "/v1/claims:batch", {"records": records, "comment": "All of it."}, **key
    )
    assert answer.status_code == 201, answer.text
    made = answer.json()["data"]
    assert [record["kind"] for record in made] == [record["record"] for record in records]
    assert {(record["state"], record["proposed_by"], record["comment"]) for record in made} == {
        ("submitted", "anna", "All of it.")
    }
    assert desk.ask(
        "anna", "POST", "/v1/claims:batch", {"records": records, "comment": "All of it."}, **key
    ).content == (answer.content)
    listed = desk.must(200, "anna", "GET", "/v1/reviews?limit=200&count=exact")
    assert (listed["page"]["count"], len(listed["data"])) == (7, 7)
    assert (
        desk.must(200, "ben", "GET", "/v1/reviews?claim=new-claim&kind=evidence,claim&count=exact")[
            "page"
        ]["count"]
        == 3
    )
    assert desk.must(200, "emil", "GET", "/v1/reviews")["data"] == []


def test_a_batch_tells_every_fault_with_its_place_and_stores_nothing(desk: Desk) -> None:
    good = {"record": "topic", **a_record("topic", "new-topic")}
    faulty: list[tuple[Any, list[str]]] = [
        ({**good, "id": "Not A Slug", "label": ""}, ["/records/1/id", "/records/1/label"]),
        (good, ["/records/2/id"]),
        (
            {"record": "claim", "id": "c", "statement": "C.", "kind": "x", "more": 1},
            ["/records/3/kind", "/records/3/more"],
        ),
        ({"id": "no-kind"}, ["/records/4/record"]),
        ({"record": ["topic"]}, ["/records/5/record"]),
        ({"record": "evidence", **LINE}, ["/records/6/claim"]),
        ({"record": "evidence", "claim": "absent", **LINE}, ["/records/7"]),
        ({"record": "evidence", "claim": 5, **LINE}, ["/records/8/claim"]),
        ({"record": "evidence", "claim": CLAIM, **LINE, "source": "absent"}, ["/records/9/source"]),
        ({"record": "evidence", "claim": CLAIM, **LINE, "key": "doepp-2010"}, ["/records/10/key"]),
        ({**good, "id": "other", "state": "accepted"}, ["/records/11/state"]),
        (
            {"record": "relation", "claim": CLAIM, **a_record("relation", CLAIM)},
            ["/records/12/target"],
        ),
        (
            {
                "record": "source",
                **a_record("source", "s", identifiers=[{"scheme": "doi", "value": "x"}]),
            },
            ["/records/13/identifiers/0/verification"],
        ),
    ]
    # What is stored decides on these; the form of the others is wrong, whatever is stored.
    by_what_is_stored = (2, 7, 9, 10, 12)
    before, at = desk.bodies(), serial(desk)
    records = [good, *(record for record, _ in faulty)]
    well_formed = [
        record if position in (0, *by_what_is_stored) else {**good, "id": f"in-place-of-{position}"}
        for position, record in enumerate(records)
    ]
    for asked, told in ((records, False), (well_formed, True)):
        batch = {"records": asked}
        answer = desk.ask("anna", "POST", "/v1/claims:batch", batch, Idempotency_Key="x")
        refused = problem(answer)
        assert refused["status"] == 422
        assert [error["pointer"] for error in refused["errors"]] == [
            place
            for position, (_, places) in enumerate(faulty, start=1)
            for place in places
            if (position in by_what_is_stored) == told
        ]
        assert (desk.bodies(), serial(desk), kept(desk)) == (before, at, [])
    for body, place in (
        ({}, "/records"),
        ({"records": []}, "/records"),
        ({"records": [1]}, "/records/0"),
        ({"records": {}}, "/records"),
        ({"records": [good], "more": 1}, "/more"),
        ([], "/"),
    ):
        refused = problem(desk.ask("anna", "POST", "/v1/claims:batch", body))
        assert (refused["status"], refused["errors"][0]["pointer"]) == (422, place)


def test_a_batch_holds_a_thousand_records(desk: Desk) -> None:
    records = [
        {"record": "topic", **a_record("topic", f"topic-{number}")} for number in range(1001)
    ]
    refused = problem(desk.ask("anna", "POST", "/v1/claims:batch", {"records": records}))
    assert (refused["status"], refused["errors"][0]["pointer"]) == (422, "/records")
    at = serial(desk)
    made = desk.must(201, "anna", "POST", "/v1/claims:batch", {"records": records[:1000]})["data"]
    assert (len(made), serial(desk)) == (1000, at + 1000)
    assert [record["id"] for record in made] == [record["id"] for record in records[:1000]]
    # One that is there already: none of the others is stored.
    more = [{"record": "topic", **a_record("topic", f"more-{number}")} for number in range(5)]
    refused = problem(
        desk.ask("anna", "POST", "/v1/claims:batch", {"records": [*more, records[7]]})
    )
    assert [error["pointer"] for error in refused["errors"]] == ["/records/5/id"]
    assert serial(desk) == at + 1000
