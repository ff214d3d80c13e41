"""The short way of a write answers as FastAPI's own way does, errors and audit records included, and is taken."""

import logging
from typing import Any

import httpx2 as httpx
import pytest
from fastapi import routing

from api.http.write_route import WriteRoute
from models.database import prepared_statements
from tests.api.curating import CLAIM, EVIDENCE, LINE, Desk

LINES = f"/v1/claims/{CLAIM}/evidence"
ACCEPT = f"/v1/records/evidence/{CLAIM}:example:accept"
TAG = {"If_Match": '"1"'}
Asked = tuple[str | None, str, str, Any, dict[str, str]]
# Who asks for what; all of it is refused, so that it can be asked twice.
REFUSED: dict[str, Asked] = {
    "no key": (None, "POST", LINES, LINE, {}),
    "a key of nobody": (None, "POST", LINES, LINE, {"Authorization": "Bearer nonsense"}),
    "another scheme": (None, "POST", LINES, LINE, {"Authorization": "Basic nonsense"}),
    "too low a role": ("anna", "POST", ACCEPT, {}, TAG),
    "HTML": ("anna", "POST", LINES, LINE, {"Accept": "text/html"}),
    "HTML and no key": (None, "POST", LINES, LINE, {"Accept": "text/html"}),
    "unknown parameter": ("anna", "POST", f"{LINES}?coment=x", LINE, {}),
    "unknown parameter and no key": (None, "POST", f"{LINES}?coment=x", LINE, {}),
    "parameter twice": ("anna", "POST", f"{LINES}?comment=a&comment=b", LINE, {}),
    "parameter too long": ("anna", "POST", f"{LINES}?comment={'x' * 2001}", LINE, {}),
    "parameter where there is none": ("cleo", "POST", f"{ACCEPT}?comment=x", {}, TAG),
    "path too long": ("anna", "POST", f"/v1/claims/{'x' * 301}/evidence", LINE, {}),
    "no number": ("cleo", "POST", "/v1/revisions/x:undo", {}, {}),
    "no such claim": ("anna", "POST", "/v1/claims/ccsvi-causes-m/evidence", LINE, {}),
    "no such source": ("anna", "POST", LINES, {**LINE, "source": "doepp-201"}, {}),
    "no object": ("anna", "POST", LINES, [], {}),
    "no JSON": ("anna", "POST", LINES, "{", {"Content_Type": "application/json"}),
    "no JSON by its name": ("anna", "POST", LINES, "{}", {"Content_Type": "text/plain"}),
    "a bad record": ("anna", "POST", LINES, {**LINE, "level": "9", "direction": "for"}, {}),
    "a bad Idempotency-Key": ("anna", "POST", LINES, LINE, {"Idempotency_Key": "a b"}),
    "no version": ("ben", "PATCH", EVIDENCE, {"note": "x"}, {}),
    "another version": ("anna", "PATCH", EVIDENCE, {"note": "x"}, TAG),
    "there already": ("anna", "PUT", EVIDENCE, LINE, {"If_None_Match": "*"}),
    "another's proposal": ("emil", "DELETE", EVIDENCE, None, TAG),
    "no kind of record": ("cleo", "POST", "/v1/records/nonsense/x:accept", {}, TAG),
    "no such method": ("anna", "PUT", LINES, LINE, {}),
    "no such path": ("anna", "POST", "/v1/nowhere", LINE, {}),
}


def told(answer: httpx.Response) -> tuple[int, dict[str, str], str]:
    """Return an answer without what no two have in common: the id of its request, and how many writes are left."""
    apart = ("x-request-id", "content-length", "ratelimit")
    headers = {name: value for name, value in answer.headers.items() if name not in apart}
    assert ("ratelimit" in answer.headers) == ("ratelimit-policy" in answer.headers)
    return answer.status_code, headers, answer.text.replace(answer.headers["x-request-id"], "…")


async def _no_short_way(*_: Any) -> None:
    return None


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_it_refuses_as_fastapi_does(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, encoding: str
) -> None:
    desk.client.headers["Accept-Encoding"] = encoding
    desk.propose("anna", "evidence", "example")

    def asked() -> tuple[dict[str, Any], list[Any]]:
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="claimbase"):
            answers = {name: told(desk.ask(*each[:4], **each[4])) for name, each in REFUSED.items()}
        told_of = [each for each in caplog.records if each.name == "claimbase.audit"]
        return answers, [
            {name: vars(each).get(name) for name in ("operation", "reason", "key", "path")}
            for each in told_of
        ]

    short, audited = asked()
    monkeypatch.setattr(WriteRoute, "at_once", _no_short_way)
    usual, audited_usually = asked()
    for name in REFUSED:
        assert short[name] == usual[name], name
    assert audited == audited_usually
    assert {each["operation"] for each in audited} == {"create_evidence", "accept_record"}
    statuses = {status for status, _, _ in short.values()}
    assert statuses == {400, 401, 403, 404, 405, 406, 412, 415, 422, 428}


def test_it_writes_as_fastapi_does(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(key: str) -> list[Any]:
        path = f"/v1/evidence/{CLAIM}:{key}"
        answers = [
            desk.ask(
                "anna", "POST", f"{LINES}?comment=why", {**LINE, "key": key}, Idempotency_Key=key
            ),
            desk.ask(
                "anna", "POST", f"{LINES}?comment=why", {**LINE, "key": key}, Idempotency_Key=key
            ),
            desk.ask("anna", "PATCH", path, {"note": "a word"}, If_Match="now"),
            desk.ask(
                "cleo", "POST", f"/v1/records/evidence/{CLAIM}:{key}:accept", {}, If_Match="now"
            ),
            desk.ask("cleo", "DELETE", f"{path}?comment=wrong", If_Match="now"),
        ]
        assert [each.status_code for each in answers] == [201, 201, 200, 200, 200]
        for each in answers:
            told_of = each.json()
            assert each.headers["etag"] == f'"{told_of["revision"]}"'
            assert desk.record("evidence", f"{CLAIM}:{key}")["id"] == told_of["id"]
        apart = {"at", "serial", "revision"}
        return [
            (
                {name: value for name, value in each.json().items() if name not in apart},
                sorted(each.headers),
            )
            for each in answers
        ]

    short = made("one")
    monkeypatch.setattr(WriteRoute, "at_once", _no_short_way)
    assert str(short) == str(made("two")).replace(f"{CLAIM}:two", f"{CLAIM}:one").replace(
        "'key': 'two'", "'key': 'one'"
    )
    assert desk.disagreements() == []


def test_a_plain_write_takes_it_and_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class FastapisWay(Exception):
        pass

    def asked(*_: Any, **__: Any) -> Any:
        raise FastapisWay

    monkeypatch.setattr(routing, "solve_dependencies", asked)
    for encoding in ("gzip", "identity"):
        desk.client.headers["Accept-Encoding"] = encoding
        desk.must(201, "anna", "POST", f"{LINES}?comment=why", {**LINE, "key": encoding})
        desk.must(
            200,
            "cleo",
            "POST",
            f"/v1/records/evidence/{CLAIM}:{encoding}:accept",
            {},
            If_Match="now",
        )
    answer = desk.ask("anna", "POST", f"{LINES}?coment=why", {**LINE, "key": "else"})
    assert answer.status_code == 500


def test_a_revoked_key_is_good_for_nothing_at_once(desk: Desk) -> None:
    desk.must(201, "anna", "POST", LINES, {**LINE, "key": "before"})
    identity = desk.plain["anna"].split("_")[1]
    desk.must(200, "dora", "DELETE", f"/v1/keys/{identity}")
    desk.must(401, "anna", "POST", LINES, {**LINE, "key": "after"})


def test_a_write_reads_nothing_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []
    usual = prepared_statements._sent

    def noting(connection: Any, statement: str, *given: Any) -> Any:
        sent.append((statement, repr(given)))
        return usual(connection, statement, *given)

    monkeypatch.setattr(prepared_statements, "_sent", noting)
    desk.must(201, "anna", "POST", LINES, {**LINE, "key": "one"})
    assert len(set(sent)) == len(sent)
    # Its key; the serial and its time; the claim, the source, the line itself; the revision, the line, the serial.
    assert [statement.split()[0] for statement, _ in sent] == ["SELECT"] * 6 + [
        "INSERT",
        "INSERT",
        "UPDATE",
    ]
