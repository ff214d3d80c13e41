"""Each answer says which state of the database it shows, and a client may say which it has seen."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings
from tests.api.curating import Desk, a_record
from tests.api.examples import EXAMPLES
from tests.api.requests import get_json, problem
from tests.databases import SEEDED, Store

CLAIM = "/v1/claims/ccsvi-causes-ms"
# What depends on the program alone.
WITHOUT = (
    "/v1/notice",
    "/v1/vocabularies",
    "/v1/citation-styles",
    "/healthz",
    "/readyz",
)


def asking(path: str, serial: object) -> str:
    """Return an address that also names the serial that was seen."""
    return f"{path}{'&' if '?' in path else '?'}min_serial={serial}"


def test_every_answer_from_the_database_tells_its_serial(client: TestClient) -> None:
    unchanged = 0
    for path in EXAMPLES.values():
        first = client.get(path)
        if first.status_code == 405 or path.startswith(WITHOUT):
            continue
        assert first.headers["x-serial"] == str(SEEDED), path
        assert client.head(path).headers["x-serial"] == str(SEEDED), path
        tag = first.headers.get("etag")
        if tag is not None:
            again = client.get(path, headers={"If-None-Match": tag})
            assert again.headers["x-serial"] == str(SEEDED), path
            unchanged += again.status_code == 304
    assert unchanged > len(EXAMPLES) / 2


def test_what_was_looked_for_in_vain_has_a_serial_too(client: TestClient) -> None:
    answer = client.get("/v1/claims/nothing-of-that-kind")
    assert (answer.status_code, answer.headers["x-serial"]) == (404, str(SEEDED))


def test_who_has_seen_the_newest_is_answered_as_ever(client: TestClient) -> None:
    for path in ("/v1", "/v1/claims?limit=2", CLAIM, "/v1/export", "/v1/vocabularies/statuses"):
        usual = client.get(path)
        answer = client.get(asking(path, SEEDED))
        assert (answer.status_code, answer.content) == (200, usual.content)
        assert answer.headers.get("link") == usual.headers.get("link")
    found = client.post(asking("/v1/claims:lookup", SEEDED), json={"ids": ["ccsvi-causes-ms"]})
    assert (found.status_code, found.headers["x-serial"]) == (200, str(SEEDED))


@pytest.mark.parametrize("path", ["/v1", "/v1/claims?limit=2", CLAIM, "/v1/export"])
def test_a_serial_that_is_not_reached_is_a_503(path: str, client: TestClient) -> None:
    answer = client.get(asking(path, SEEDED + 1))
    told = problem(answer)
    assert (told["status"], told["code"]) == (503, "behind")
    assert told["detail"] == (
        f"The newest change here is {SEEDED}, and {SEEDED + 1} was asked for."
    )
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("given", ["a", "-1", "1.5", "9" * 19, "1&min_serial=1", "%00", "²"])
def test_what_is_no_serial_is_refused(given: str, client: TestClient) -> None:
    for path in ("/v1/claims", CLAIM, "/v1/notice"):
        told = problem(client.get(asking(path, given)))
        assert told["status"] == 400
        if given != "%00":
            assert (told["code"], told["errors"][0]["parameter"]) == (
                "invalid_parameter",
                "min_serial",
            )


def test_pages_and_writes_take_no_serial(client: TestClient, desk: Desk) -> None:
    assert client.get("/claims?min_serial=1").status_code == 400
    refused = desk.ask("anna", "POST", "/v1/topics?min_serial=1", a_record("topic", "new"))
    assert problem(refused)["code"] == "unknown_parameter"


def test_a_tag_of_a_database_that_was_replaced_is_no_hindrance(client: TestClient) -> None:
    for tag in (f'W/"s{SEEDED + 1}"', f'"{SEEDED + 1}"', "*", '"', "W/", '"abc"'):
        answer = client.get("/v1/claims?limit=1", headers={"If-None-Match": tag})
        assert answer.status_code in (200, 304)
        assert answer.headers["x-serial"] == str(SEEDED)


def test_a_write_tells_its_serial_and_the_next_read_has_it(desk: Desk) -> None:
    answer: Any = desk.ask("anna", "POST", "/v1/topics", a_record("topic", "new"))
    serial = int(answer.headers["x-serial"])
    assert serial == answer.json()["serial"] == SEEDED + 1
    for path in ("/v1/topics", "/v1/records/topic/new"):
        found = desk.ask("anna", "GET", asking(path, serial))
        assert (found.status_code, found.headers["x-serial"]) == (200, str(serial))


def test_one_answer_is_kept_for_all_who_have_not_seen_more(seeded: Store) -> None:
    app = create_app(Settings(database_url=seeded.url))
    with TestClient(app, raise_server_exceptions=False) as client:
        first = client.get("/v1/claims?limit=2")
        for serial in (1, SEEDED, ""):
            answer = client.get(asking("/v1/claims?limit=2", serial))
            assert answer.content == first.content
            assert answer.headers["x-serial"] == str(SEEDED)
        assert len(app.cache.kept) == 1
        assert client.get(asking("/v1/claims?limit=2", SEEDED + 1)).status_code == 503
        assert len(app.cache.kept) == 1


def test_who_is_led_on_keeps_what_they_have_seen(client: TestClient) -> None:
    answer = client.get(f"{CLAIM}/?min_serial=7", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, f"{CLAIM}?min_serial=7")


def test_every_read_declares_it(client: TestClient) -> None:
    for path, operations in get_json(client, "/openapi.json")["paths"].items():
        for method, operation in operations.items():
            declared = [each["name"] for each in operation.get("parameters", ())]
            takes = (method == "get" and path.startswith("/v1")) or path.endswith(
                (":match", ":lookup")
            )
            assert declared.count("min_serial") == takes, (method, path)
