"""Keys over HTTP: who is asked for one, what a bad one gets, that denials are recorded, and that no
key is ever shown.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from api.http.openapi import FOLDER, example
from api.http.rate_limits import Limit
from api.main import create_app
from api.settings import Settings
from models.access import api_keys
from models.access.api_keys import ApiKey
from models.core import vocabularies as v
from models.records.serializers import table
from tests.api.examples import BODIES, KEY_EXAMPLES
from tests.api.requests import bearer, problem
from tests.databases import Store

CHALLENGE = 'Bearer realm="claimbase"'


@dataclass
class Desk:
    """A client, and a key of each role."""

    store: Store
    client: TestClient
    plain: dict[str, str]
    ids: dict[str, str]

    def ask(self, method: str, path: str, role: str | None = "admin", **more: Any) -> Any:
        """Ask with the key of a role, or with none."""
        return self.client.request(
            method, path, headers=bearer(self.plain[role]) if role else {}, **more
        )

    def expire(self, role: str) -> None:
        """Let the time of a key be over."""
        with self.store.database.write() as connection:
            rows = table(ApiKey)
            past = (
                update(rows)
                .where(rows.c.id == self.ids[role])
                .values(expires="2020-01-01T00:00:00.000000Z")
            )
            connection.execute(past)


@pytest.fixture
def desk(empty: Store) -> Iterator[Desk]:
    plain, ids = {}, {}
    with empty.database.write() as connection:
        for role in v.ROLES.ids:
            made, plain[role] = api_keys.create_key(
                connection, api_keys.parse_key_request({"name": f"The {role}", "role": role})
            )
            ids[role] = made.id
    app = create_app(Settings(database_url=empty.url))
    app.state.limits.failed_keys = Limit(5)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Desk(empty, client, plain, ids)


def test_an_admin_makes_lists_and_revokes_keys(desk: Desk) -> None:
    made = desk.ask(
        "POST", "/v1/keys", json={"name": "Bob", "role": "contributor", "expires": "30d"}
    )
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    plain, shown = (
        made.json()["key"],
        {name: value for name, value in made.json().items() if name != "key"},
    )
    assert shown["role"] == "contributor"
    assert shown["expires"] > shown["created"]
    assert made.headers["location"] == f"/v1/keys/{shown['id']}"
    assert desk.ask("GET", made.headers["location"]).json() == shown
    listed = desk.ask("GET", "/v1/keys")
    assert shown in listed.json()["data"]
    assert [key["role"] for key in listed.json()["data"][:3]] == ["contributor", "curator", "admin"]
    for secret in (plain, *desk.plain.values()):
        assert secret.split("_")[2] not in listed.text
        assert api_keys._hash(secret) not in listed.text

    # Good, as contributor; revoked, good for nothing at once, and still listed.
    assert desk.client.get("/v1/keys", headers=bearer(plain)).status_code == 403
    revoked = desk.ask("DELETE", f"/v1/keys/{shown['id']}")
    assert revoked.status_code == 200
    assert revoked.json()["revoked"]
    assert desk.client.get("/v1/keys", headers=bearer(plain)).status_code == 401
    assert revoked.json() in desk.ask("GET", "/v1/keys").json()["data"]
    assert desk.ask("DELETE", f"/v1/keys/{shown['id']}").json() == revoked.json()
    for method in ("GET", "DELETE"):
        assert problem(desk.ask(method, "/v1/keys/AAAAAAAA"))["status"] == 404


BAD_KEYS: list[tuple[Any, list[str]]] = [
    ({}, ["/name", "/role"]),
    ({"name": "seed", "role": "boss"}, ["/name", "/role"]),
    ({"name": "Bob", "role": "admin", "secret": "x"}, ["/secret"]),
    ({"name": "Bob", "role": "admin", "expires": "2001-01-01"}, ["/expires"]),
    ([], ["/"]),
]


def test_a_key_that_cannot_be_made_says_all_that_is_wrong(desk: Desk) -> None:
    for body, pointers in BAD_KEYS:
        answer = desk.ask("POST", "/v1/keys", json=body)
        assert answer.status_code == 422
        assert [error["pointer"] for error in problem(answer)["errors"]] == pointers


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/x")]
)
def test_keys_are_for_admins_alone(
    method: str, path: str, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    anonymous = desk.ask(method, path, None)
    assert (anonymous.status_code, problem(anonymous)["code"]) == (401, "key_required")
    assert anonymous.headers["www-authenticate"] == CHALLENGE
    for role in ("contributor", "curator"):
        answer = desk.ask(method, path, role)
        assert (answer.status_code, problem(answer)["code"]) == (403, "forbidden")
        assert answer.headers["www-authenticate"] == f'{CHALLENGE}, error="insufficient_scope"'
        told = denials(caplog)[-1]
        assert told["reason"] == "forbidden"
        assert (told["key"], told["key_name"], told["role"]) == (
            desk.ids[role],
            f"The {role}",
            role,
        )
        assert told["request_id"] == answer.headers["x-request-id"]
        assert (told["method"], told["path"], told["status"]) == (method, path, 403)
        assert told["operation"] in KEY_EXAMPLES
        assert told["address"] == "testclient"


def test_a_wrong_method_is_told_all_the_right_ones(desk: Desk) -> None:
    for path, methods in (
        ("/v1/keys", "GET, HEAD, POST"),
        ("/v1/keys/x", "GET, HEAD, DELETE"),
        ("/v1", "GET, HEAD"),
    ):
        answer = desk.ask("PATCH", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
    assert desk.ask("GET", "/v1/sources:parse").headers["allow"] == "POST"


def denials(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the audit records so far."""
    return [vars(record) for record in caplog.records if record.name == "claimbase.audit"]


def test_why_a_key_is_refused_stands_in_the_record_alone(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.ask("DELETE", f"/v1/keys/{desk.ids['curator']}")
    prefix, identity, _, _ = desk.plain["admin"].split("_")
    begun = f"{prefix}_{identity}_{'x' * 32}"
    forged = f"{begun}_{api_keys._checksum(begun)}"
    told = {}
    for reason, plain in (
        ("malformed_key", "x"),
        ("unknown_key", forged),
        ("revoked_key", desk.plain["curator"]),
    ):
        answer = desk.client.get("/v1/keys", headers=bearer(plain))
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_token"'
        body = problem(answer)
        told[reason] = (body["code"], body["detail"])
        assert denials(caplog)[-1]["reason"] == reason
    assert set(told.values()) == {("invalid_key", api_keys.BadKey.message)}
    assert denials(caplog)[-1]["key_name"] == "The curator"
    # Whose id a forged key bears has nothing to do with it.
    assert "key_name" not in denials(caplog)[-2]
    desk.expire("contributor")
    answer = desk.ask("GET", "/v1/keys", "contributor")
    assert (answer.status_code, problem(answer)["code"]) == (401, "expired_key")
    assert denials(caplog)[-1]["reason"] == "expired_key"


def test_a_key_counts_in_its_place_alone(desk: Desk) -> None:
    plain = desk.plain["admin"]
    good: list[dict[str, str]] = [
        {"Authorization": f"{scheme} {plain}"} for scheme in ("Bearer", "bearer", "BEARER ")
    ]
    for headers in good:
        assert desk.client.get("/v1/keys", headers=headers).status_code == 200, headers
    for name, value in (
        ("X-API-Key", plain),
        ("Cookie", f"key={plain}"),
        ("Proxy-Authorization", f"Bearer {plain}"),
    ):
        assert problem(desk.client.get("/v1/keys", headers={name: value}))["code"] == "key_required"
    # Another scheme, such as that of a proxy before this, counts as none.
    for value in (f"Basic {plain}", f"Token {plain}", plain, ""):
        answer = desk.client.get("/v1/keys", headers={"Authorization": value})
        assert problem(answer)["code"] == "key_required", value
    for value in ("Bearer", "Bearer ", f"Bearer {plain} x", f'Bearer "{plain}"'):
        answer = desk.client.get("/v1/keys", headers={"Authorization": value})
        assert problem(answer)["code"] == "invalid_key", value
    twice = [("Authorization", f"Bearer {plain}"), ("Authorization", f"Bearer {plain}")]
    assert problem(desk.client.get("/v1/keys", headers=twice))["code"] == "invalid_key"
    for query in (f"access_token={plain}", f"key={plain}", f"api_key={plain}"):
        assert problem(desk.client.get(f"/v1/keys?{query}"))["code"] == "unknown_parameter"


def test_reading_needs_no_key_but_a_bad_one_is_told(desk: Desk) -> None:
    for headers in ({}, bearer(desk.plain["contributor"]), bearer(desk.plain["curator"])):
        assert desk.client.get("/v1/claims", headers=headers).status_code == 200
    assert desk.client.get("/v1/claims", headers=bearer("x")).status_code == 401


def test_no_key_is_in_any_log_answer_or_record(
    desk: Desk, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    plain = desk.plain["admin"]
    encoded = plain.replace("_", "%5F")
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/v1/keys", {"headers": bearer(plain)}),
        ("GET", "/v1/keys", {"headers": bearer(plain + "x")}),
        ("GET", "/v1/keys", {"headers": {"Authorization": plain}}),
        ("GET", f"/v1/claims?key={plain}", {}),
        ("GET", f"/v1/claims?key={encoded}", {}),
        ("GET", f"/v1/claims?{plain}=1", {}),
        ("GET", f"/v1/claims?q={'x' * 450}{plain}", {}),
        ("GET", f"/v1/claims?status={plain}", {}),
        ("GET", f"/v1/claims?cursor={plain}", {}),
        ("GET", f"/v1/claims/{plain}", {}),
        ("GET", f"/v1/sources/doi:10.1/{plain}", {}),
        ("GET", f"/{plain}", {}),
        ("GET", "/v1/claims", {"headers": {"X-Request-ID": plain}}),
        ("GET", "/v1/claims", {"headers": {"Accept": plain}}),
        (
            "POST",
            "/v1/keys",
            {"headers": bearer(plain), "json": {"name": plain, "role": plain, plain: plain}},
        ),
        ("POST", "/v1/keys", {"headers": bearer(plain), "json": plain}),
        (
            "POST",
            "/v1/keys",
            {"headers": bearer(plain), "content": f'{{"{plain}": 1, "{plain}": 2}}'},
        ),
        (
            "POST",
            "/v1/keys",
            {"headers": {**bearer(plain), "Content-Type": plain}, "content": "{}"},
        ),
        ("DELETE", f"/v1/keys/{plain}", {"headers": bearer(plain)}),
        ("POST", f"/v1/sources:parse?format={plain}", {"content": plain}),
        ("POST", "/v1/sources:parse", {"content": f"@article{{{plain}, title = {{{plain}}}}}"}),
    ]
    answers = ""
    for method, path, more in asked:
        answer = desk.client.request(method, path, **more)
        if method == "POST" and path == "/v1/sources:parse":
            continue  # It tells what it read of a file.
        answers += f"{answer.headers}{answer.text}"
    ours = [
        record for record in caplog.records if not record.name.startswith("httpx")
    ]  # The client has a log, too.
    formatted = "".join(json.dumps(vars(record), default=repr) for record in ours)
    for text in (answers, formatted, "".join(capfd.readouterr())):
        assert plain.split("_")[2] not in text
    assert desk.ids["admin"] in formatted


def test_bad_keys_use_up_what_their_address_may_send(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        assert desk.client.get("/v1/keys", headers=bearer("x")).status_code == 401
    for headers in (bearer("x"), bearer(desk.plain["admin"])):
        answer = desk.client.get("/v1/keys", headers=headers)
        assert (answer.status_code, problem(answer)["code"]) == (429, "too_many_requests")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert denials(caplog)[-1]["reason"] == "failed_keys"
    # Who shows no key is not concerned.
    assert desk.client.get("/v1/claims").status_code == 200
    assert problem(desk.client.get("/v1/keys"))["code"] == "key_required"


def test_an_outdated_key_locks_out_itself_alone(desk: Desk) -> None:
    desk.ask("DELETE", f"/v1/keys/{desk.ids['curator']}")
    got = [desk.ask("GET", "/v1/keys", "curator").status_code for _ in range(8)]
    assert got == [401] * 5 + [429] * 3
    assert desk.ask("GET", "/v1/keys").status_code == 200


def test_keys_of_one_name_are_one_person(desk: Desk) -> None:
    for role in ("contributor", "curator"):
        assert desk.ask("POST", "/v1/keys", json={"name": "Anna", "role": role}).status_code == 201


def test_roles_are_in_the_openapi_document(desk: Desk) -> None:
    document = desk.client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    operations = {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }
    for name in ("list_keys", "get_key", "create_key", "revoke_key"):
        assert operations[name]["security"] == [{"bearer": []}]
        assert operations[name]["x-role"] == "admin"
        assert {"401", "403", "429"} <= set(operations[name]["responses"])
    # Who reads may show a key, or none.
    assert operations["list_claims"]["security"] == [{}, {"bearer": []}]
    assert operations["list_vocabularies"]["security"] == []


VARYING = ("id", "created", "revoked", "key", "conflict_declared", "secret")


def steady(answer: Any, name: str = "") -> Any:
    """Return an answer without what differs from one time to the next."""
    if isinstance(answer, dict):
        return {each: steady(value, each) for each, value in answer.items()}
    if isinstance(answer, list):
        return [steady(each) for each in answer]
    return "…" if name in VARYING and answer else answer


@pytest.mark.parametrize("operation", KEY_EXAMPLES)
def test_an_example_is_what_the_api_answers(
    operation: str, desk: Desk, pytestconfig: pytest.Config
) -> None:
    method, path = KEY_EXAMPLES[operation]
    body = BODIES.get(operation)
    headers = bearer(desk.plain["admin"]) | ({"Content-Type": "application/json"} if body else {})
    desk.client.app.state.webhooks.backoff = (3600.0,)  # type: ignore[attr-defined]
    webhook = desk.ask("POST", "/v1/webhooks", json=json.loads(BODIES["create_webhook"]))
    address = path.format(key=desk.ids["curator"], webhook=webhook.json()["id"])
    answer = desk.client.request(method, address, content=body, headers=headers)
    assert answer.status_code in (200, 201)
    if pytestconfig.getoption("--write-examples"):
        text = json.dumps(answer.json(), indent=2, ensure_ascii=False)
        (FOLDER / f"{operation}.json").write_text(text + "\n", encoding="utf-8")
    assert steady(example(operation)) == steady(answer.json())


ORCID = "0000-0002-1825-0097"


def test_a_person_declares_their_interests_once_a_year(desk: Desk) -> None:
    own = desk.ask("GET", "/v1/key", "curator").json()
    assert own["conflict_of_interest_due"]
    answer = desk.ask("PATCH", "/v1/key", "curator", json={"conflict_of_interest": " none "})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["conflict_of_interest"], told["conflict_of_interest_due"]) == ("none", False)
    assert desk.ask("GET", "/v1/key", "curator").json() == told
    with desk.store.database.write() as connection:
        rows = table(ApiKey)
        long_ago = {"conflict_declared": "2020-01-01T00:00:00.000000Z"}
        connection.execute(update(rows).where(rows.c.id == own["id"]).values(long_ago))
    assert desk.ask("GET", "/v1/key", "curator").json()["conflict_of_interest_due"]
    # Nobody else's key was touched.
    assert desk.ask("GET", "/v1/key", "contributor").json()["conflict_of_interest"] is None


def test_a_declaration_is_a_text_and_nothing_else_of_the_key_changes(desk: Desk) -> None:
    for body, pointer in (
        ({}, "/conflict_of_interest"),
        ({"conflict_of_interest": None}, "/conflict_of_interest"),
        ({"conflict_of_interest": " "}, "/conflict_of_interest"),
        ({"conflict_of_interest": "x" * 2001}, "/conflict_of_interest"),
        ({"conflict_of_interest": "none", "role": "admin"}, "/role"),
    ):
        answer = desk.ask("PATCH", "/v1/key", "contributor", json=body)
        assert answer.status_code == 422, body
        assert [error["pointer"] for error in problem(answer)["errors"]] == [pointer]
    assert desk.ask("GET", "/v1/key", "contributor").json()["role"] == "contributor"


def test_keys_of_one_name_hold_what_is_the_person_s(desk: Desk) -> None:
    def made(**more: Any) -> Any:
        return desk.ask("POST", "/v1/keys", json={"role": "curator", **more})

    first = made(name="Ada Example", conflict_of_interest="Paid by Example Ltd.").json()
    assert not first["conflict_of_interest_due"]
    second = made(name="ada example", orcid=f"https://orcid.org/{ORCID}").json()
    assert second["orcid"] == ORCID
    assert second["conflict_of_interest"] == "Paid by Example Ltd."
    assert second["conflict_declared"] == first["conflict_declared"]
    assert desk.ask("GET", f"/v1/keys/{first['id']}").json()["orcid"] == ORCID
    # By a second name, the same person could accept what they proposed.
    refused = problem(made(name="A. Example", orcid=ORCID))
    assert refused["status"] == 422
    assert refused["errors"][0]["code"] == "orcid_of_another"
    assert refused["errors"][0]["suggestion"] == "Ada Example"
    wrong = problem(made(name="Bea", orcid="0000-0002-1825-0098"))
    assert [error["pointer"] for error in wrong["errors"]] == ["/orcid"]
