"""Answers that depend on who asks: what caches are told of them; and headers that a write takes, as
they are declared.
"""

from typing import Any

import pytest

from tests.api.curating import CLAIM, NOW, Desk, a_record
from tests.api.requests import problem

PLACES = {
    "claim": CLAIM,
    "source": "doepp-2010",
    "kind": "evidence",
    "record": f"{CLAIM}:doepp-2010",
    "serial": "7",
    "key": "none",
    "suggestion": "none",
    "comment_id": "none",
    "webhook": "none",
}


def operations(desk: Desk) -> list[tuple[str, str, dict[str, Any]]]:
    paths = desk.client.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), path, each)
        for path, methods in paths.items()
        for method, each in methods.items()
    ]


def of_list(header: str) -> set[str]:
    return {each.strip().lower() for each in header.split(",")}


def test_what_is_answered_to_a_key_is_kept_by_nobody(desk: Desk) -> None:
    desk.propose("anna", "evidence", "waits")
    asked = [
        path.format(**PLACES)
        for method, path, each in operations(desk)
        if method == "GET" and each["security"]
    ]
    assert len(asked) >= 10
    for path in (*asked, "/v1/claims/nobody", "/v1/claims?limit=0", "/v1/revisions/99999"):
        keyed = desk.ask("dora", "GET", path)
        assert keyed.headers["cache-control"] == "no-store", path
        anonymous = desk.ask(None, "GET", path)
        for answer in (keyed, anonymous):
            assert "authorization" in of_list(answer.headers["vary"]), path
        assert "no-store" not in anonymous.headers.get("cache-control", ""), path
    refused = desk.client.get("/v1/claims", headers={"Authorization": "Bearer nonsense"})
    assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store")
    # What nobody's key makes different says nothing of it.
    for path in ("/v1/topics", f"/v1/claims/{CLAIM}/timeline", "/healthz"):
        assert "authorization" not in of_list(desk.ask("dora", "GET", path).headers.get("vary", ""))
    made = desk.ask("anna", "POST", "/v1/topics", a_record("topic", "new"))
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert made.headers["etag"], "the version, to be named in If-Match"


def test_what_is_added_for_its_asker_alone_has_no_tag(desk: Desk) -> None:
    desk.propose("anna", "evidence", "waits")
    for path in ("claims?include=submitted", f"claims/{CLAIM}?include=submitted"):
        for who in ("anna", "cleo"):
            answer = desk.ask(who, "GET", f"/v1/{path}", If_None_Match="*")
            assert answer.status_code == 200
            assert "etag" not in answer.headers, path
    asked: list[tuple[str | None, str]] = [
        (None, "changes"),
        (None, f"claims/{CLAIM}"),
        ("cleo", f"claims/{CLAIM}"),
        ("anna", "claims"),
    ]
    for asker, path in asked:
        tag = desk.ask(asker, "GET", f"/v1/{path}").headers["etag"]
        assert desk.ask(asker, "GET", f"/v1/{path}", If_None_Match=tag).status_code == 304


def test_a_browser_sees_that_an_answer_is_a_repetition(desk: Desk) -> None:
    sent = {"Origin": "https://example.org", "Idempotency_Key": "once"}
    first, again = (
        desk.ask("anna", "POST", "/v1/topics", a_record("topic", "new"), **sent) for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" in of_list(again.headers["access-control-expose-headers"])


def test_every_header_that_a_write_takes_is_declared(desk: Desk) -> None:
    for method, path, each in operations(desk):
        declared = {one["name"]: one for one in each.get("parameters", ()) if one["in"] == "header"}
        # What answers with a secret keeps no answer.
        writes = method != "GET" and "x-role" in each and "keys" not in each["tags"]
        writes = writes and not path.endswith(":preview") and "webhooks" not in path
        assert ("If-Match" in declared) == ("428" in each["responses"]), path
        assert ("Idempotency-Key" in declared) == (writes and method == "POST"), path
        # A new record has no version yet.
        # The text of a source is a change of the source.
        makes_new = writes and method == "PUT" and not path.endswith("/text")
        assert ("If-None-Match" in declared) == makes_new, path
        if "If-Match" in declared:
            assert declared["If-Match"]["required"] == (not makes_new)
        record = method == "GET" and "404" in each["responses"] and "401" not in each["responses"]
        assert not record or {"308", "410"} <= each["responses"].keys(), path


@pytest.mark.parametrize("given", ["a", "not good", ""])
def test_making_a_key_is_not_repeated_by_an_idempotency_key(given: str, desk: Desk) -> None:
    before = desk.must(200, "dora", "GET", "/v1/keys")
    body = {"name": "Frida", "role": "contributor"}
    refused = problem(desk.ask("dora", "POST", "/v1/keys", body, Idempotency_Key=given))
    assert (refused["status"], refused["errors"][0]["parameter"]) == (400, "Idempotency-Key")
    assert "nobody keeps" in refused["detail"]
    assert desk.must(200, "dora", "GET", "/v1/keys") == before
    desk.must(201, "dora", "POST", "/v1/keys", body)


def test_a_change_without_a_version_is_refused_whoever_asks(desk: Desk) -> None:
    record = desk.accepted("evidence", "mine")
    at = desk.bodies()
    for who in ("cleo", "dora"):
        path = f"/v1/evidence/{record}"
        refused = problem(desk.ask(who, "PATCH", path, {"finding": "x"}, If_Match="*"))
        assert (refused["status"], refused["code"]) == (428, "precondition_required")
    assert desk.bodies() == at
    desk.must(200, "cleo", "PATCH", f"/v1/evidence/{record}", {"finding": "x"}, If_Match=NOW)
