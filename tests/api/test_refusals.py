"""What refuses a write, one thing before the other: how it is answered, and what the audit record
says.
"""

import logging
from typing import Any

import pytest

from models.database import prepared_statements
from tests.api.curating import CLAIM, EVIDENCE, LINE, Desk
from tests.api.requests import problem

LINES = f"/v1/claims/{CLAIM}/evidence"
ACCEPT = f"/v1/records/evidence/{CLAIM}:example:accept"
TAG = {"If_Match": '"1"'}
Asked = tuple[str | None, str, str, Any, dict[str, str]]
# Who asks for what, and the status and code of the answer.
REFUSED: dict[str, tuple[Asked, int, str]] = {
    "no key": ((None, "POST", LINES, LINE, {}), 401, "key_required"),
    "a key of nobody": (
        (None, "POST", LINES, LINE, {"Authorization": "Bearer nonsense"}),
        401,
        "invalid_key",
    ),
    "another scheme": (
        (None, "POST", LINES, LINE, {"Authorization": "Basic nonsense"}),
        401,
        "key_required",
    ),
    "too low a role": (("anna", "POST", ACCEPT, {}, TAG), 403, "forbidden"),
    "HTML": (("anna", "POST", LINES, LINE, {"Accept": "text/html"}), 406, "not_acceptable"),
    "HTML and no key": (
        (None, "POST", LINES, LINE, {"Accept": "text/html"}),
        406,
        "not_acceptable",
    ),
    "unknown parameter": (
        ("anna", "POST", f"{LINES}?coment=x", LINE, {}),
        400,
        "unknown_parameter",
    ),
    "unknown parameter and no key": (
        (None, "POST", f"{LINES}?coment=x", LINE, {}),
        401,
        "key_required",
    ),
    "parameter twice": (
        ("anna", "POST", f"{LINES}?comment=a&comment=b", LINE, {}),
        400,
        "invalid_parameter",
    ),
    "parameter too long": (
        ("anna", "POST", f"{LINES}?comment={'x' * 2001}", LINE, {}),
        400,
        "invalid_parameter",
    ),
    "parameter where there is none": (
        ("cleo", "POST", f"{ACCEPT}?comment=x", {}, TAG),
        400,
        "unknown_parameter",
    ),
    "path too long": (
        ("anna", "POST", f"/v1/claims/{'x' * 301}/evidence", LINE, {}),
        400,
        "invalid_parameter",
    ),
    "no number": (("cleo", "POST", "/v1/revisions/x:undo", {}, {}), 400, "invalid_parameter"),
    "no such claim": (
        ("anna", "POST", "/v1/claims/ccsvi-causes-m/evidence", LINE, {}),
        404,
        "not_found",
    ),
    "no such source": (
        ("anna", "POST", LINES, {**LINE, "source": "doepp-201"}, {}),
        422,
        "invalid_record",
    ),
    "no object": (("anna", "POST", LINES, [], {}), 422, "invalid_record"),
    "no JSON": (
        ("anna", "POST", LINES, "{", {"Content_Type": "application/json"}),
        400,
        "malformed_json",
    ),
    "no JSON by its name": (
        ("anna", "POST", LINES, "{}", {"Content_Type": "text/plain"}),
        415,
        "unsupported_media_type",
    ),
    "a bad record": (
        ("anna", "POST", LINES, {**LINE, "level": "9", "direction": "for"}, {}),
        422,
        "invalid_record",
    ),
    "a bad Idempotency-Key": (
        ("anna", "POST", LINES, LINE, {"Idempotency_Key": "a b"}),
        400,
        "invalid_parameter",
    ),
    "no version": (("ben", "PATCH", EVIDENCE, {"note": "x"}, {}), 428, "precondition_required"),
    "another version": (
        ("anna", "PATCH", EVIDENCE, {"note": "x"}, TAG),
        412,
        "precondition_failed",
    ),
    "there already": (
        ("anna", "PUT", EVIDENCE, LINE, {"If_None_Match": "*"}),
        412,
        "precondition_failed",
    ),
    "another's proposal": (("emil", "DELETE", EVIDENCE, None, TAG), 404, "not_found"),
    "no kind of record": (
        ("cleo", "POST", "/v1/records/nonsense/x:accept", {}, TAG),
        404,
        "not_found",
    ),
    "no such method": (("anna", "PUT", LINES, LINE, {}), 405, "method_not_allowed"),
    "no such path": (("anna", "POST", "/v1/nowhere", LINE, {}), 404, "not_found"),
}


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_write_is_refused_for_the_first_thing_that_is_wrong(
    desk: Desk, caplog: pytest.LogCaptureFixture, encoding: str
) -> None:
    desk.client.headers["Accept-Encoding"] = encoding
    desk.propose("anna", "evidence", "example")
    told = {}
    with caplog.at_level(logging.INFO, logger="claimbase"):
        for name, (asked, _, _) in REFUSED.items():
            answer = desk.ask(*asked[:4], **asked[4])
            told[name] = (answer.status_code, problem(answer)["code"])
            assert ("ratelimit" in answer.headers) == ("ratelimit-policy" in answer.headers)
    assert told == {name: (status, code) for name, (_, status, code) in REFUSED.items()}
    audited = [vars(each) for each in caplog.records if each.name == "claimbase.audit"]
    reasons = ["key_required", "malformed_key", "key_required", "forbidden", "key_required"]
    assert [each["reason"] for each in audited] == reasons
    assert {each["operation"] for each in audited} == {"create_evidence", "accept_record"}


def test_a_write_is_told_as_it_is_stored(desk: Desk) -> None:
    path = f"/v1/evidence/{CLAIM}:one"
    answers = [
        desk.ask(
            "anna", "POST", f"{LINES}?comment=why", {**LINE, "key": "one"}, Idempotency_Key="one"
        ),
        desk.ask(
            "anna", "POST", f"{LINES}?comment=why", {**LINE, "key": "one"}, Idempotency_Key="one"
        ),
        desk.ask("anna", "PATCH", path, {"note": "a word"}, If_Match="now"),
        desk.ask("cleo", "POST", f"/v1/records/evidence/{CLAIM}:one:accept", {}, If_Match="now"),
        desk.ask("cleo", "DELETE", f"{path}?comment=wrong", If_Match="now"),
    ]
    assert [each.status_code for each in answers] == [201, 201, 200, 200, 200]
    for each in answers:
        assert each.headers["etag"] == f'"{each.json()["revision"]}"'
        assert desk.record("evidence", f"{CLAIM}:one")["id"] == each.json()["id"]


def test_a_version_is_named_by_the_tag_that_a_client_got(desk: Desk) -> None:
    for coding in ("gzip", "zstd", "identity"):
        seen = desk.ask(None, "GET", f"/v1/claims/{CLAIM}", Accept_Encoding=coding)
        assert seen.headers["etag"].endswith(f'-{coding}"' if coding != "identity" else '"')
        changed = desk.must(
            200,
            "cleo",
            "PATCH",
            f"/v1/claims/{CLAIM}",
            {"note": coding},
            If_Match=seen.headers["etag"],
        )
        assert changed["record"]["note"] == coding
        desk.must(
            412,
            "cleo",
            "PATCH",
            f"/v1/claims/{CLAIM}",
            {"note": "x"},
            If_Match=seen.headers["etag"],
        )


def test_a_revoked_key_is_refused_at_once(desk: Desk) -> None:
    desk.must(201, "anna", "POST", LINES, {**LINE, "key": "before"})
    identity = desk.plain["anna"].split("_")[1]
    desk.must(200, "dora", "DELETE", f"/v1/keys/{identity}")
    desk.must(401, "anna", "POST", LINES, {**LINE, "key": "after"})


def test_a_write_reads_nothing_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []
    usual = prepared_statements._execute

    def noting(connection: Any, statement: str, *given: Any, **how: Any) -> Any:
        sent.append((statement, repr(given)))
        return usual(connection, statement, *given, **how)

    monkeypatch.setattr(prepared_statements, "_execute", noting)
    desk.must(201, "anna", "POST", LINES, {**LINE, "key": "one"})
    assert len(set(sent)) == len(sent) > 1
