"""How often: buckets that fill again, by key and by address; what the answer tells of them; memory
that is bounded.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from api.http import rate_limits
from api.http.clients import address_of
from api.http.rate_limits import LEAST_FILE_BYTES, WINDOW, Limit
from api.main import create_app
from api.settings import Settings
from models.access import api_keys
from tests.api.requests import bearer, problem
from tests.databases import Store


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def taken(limit: Limit, name: str, tries: int) -> int:
    """Return how many of so many tries there was a unit for."""
    got = 0
    for _ in range(tries):
        if not limit.wait(name):
            limit.take(name)
            got += 1
    return got


@pytest.mark.parametrize("quota", [1, 2, 7, 60, 600, 6400, 100_000])
def test_a_bucket_gives_what_it_holds_and_fills_again_evenly(quota: int) -> None:
    clock = Clock()
    limit = Limit(quota, clock)
    assert limit.left("a") == quota
    assert taken(limit, "a", quota + 5) == quota
    assert limit.left("a") == 0
    assert limit.wait("a") == -(-WINDOW // quota)
    assert limit.refill("a") == WINDOW
    # Another name has a bucket of its own.
    assert limit.left("b") == quota
    clock.time += limit.wait("a")
    assert 1 <= limit.left("a") <= max(1, quota // WINDOW)
    clock.time += WINDOW / 2
    assert limit.left("a") >= quota // 2
    clock.time += WINDOW
    assert limit.left("a") == quota
    assert limit.refill("a") == 0
    assert taken(limit, "a", quota + 5) == quota


def test_whoever_waits_as_told_is_served() -> None:
    clock = Clock()
    limit = Limit(7, clock)
    for _ in range(100):
        if wait := limit.wait("a"):
            clock.time += wait
            assert limit.wait("a") == 0
        limit.take("a")
    # The burst, and then seven a minute, or fewer, since one waits for whole seconds.
    assert clock.time - 1000 >= (100 - 7) * WINDOW / 7 - 1e-6


def test_the_memory_is_bounded_and_whoever_asks_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MOST_BUCKETS", 100)
    limit = Limit(5, Clock())
    for number in range(1000):
        limit.take(f"address {number}")
        if number % 50 == 0:
            limit.take("busy")
    assert len(limit._buckets) == 100
    assert limit.wait("busy") > 0
    assert limit.left("address 0") == 5


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_one_client_is_one_address(host: str, counted: str) -> None:
    assert address_of(Request({"type": "http", "client": (host, 1)})) == counted
    assert address_of(Request({"type": "http", "client": None})) == ""


@pytest.fixture
def few(empty: Store) -> Iterator[tuple[TestClient, dict[str, str]]]:
    """Give a client that may write thrice with a key and five times from an address, and two
    keys.
    """
    plain = {}
    with empty.database.write() as connection:
        for name in ("Anna", "Bob"):
            _, plain[name] = api_keys.create_key(
                connection, api_keys.parse_key_request({"name": name, "role": "admin"})
            )
    settings = Settings(
        database_url=empty.url, key_writes_per_minute=3, address_writes_per_minute=5
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client, plain


def write(client: TestClient, plain: str | None, **headers: str) -> Any:
    """Ask for something to be stored."""
    body = {"name": "New", "role": "contributor"}
    return client.post(
        "/v1/keys", json=body, headers={**(bearer(plain) if plain else {}), **headers}
    )


def test_writes_are_limited_by_key_and_by_address(few: tuple[TestClient, dict[str, str]]) -> None:
    client, plain = few
    for left in (2, 1, 0):
        answer = write(client, plain["Anna"])
        assert answer.status_code == 201
        assert (
            answer.headers["ratelimit-policy"]
            == '"writes_by_address";q=5;w=60, "writes_by_key";q=3;w=60'
        )
        found = re.fullmatch(
            r'"writes_by_address";r=(\d);t=(\d+), "writes_by_key";r=(\d);t=(\d+)',
            answer.headers["ratelimit"],
        )
        assert found
        assert (int(found[1]), int(found[3])) == (left + 2, left)
        assert 0 < int(found[2]) <= 60
        assert 0 < int(found[4]) <= 60
    answer = write(client, plain["Anna"])
    assert (answer.status_code, problem(answer)["code"]) == (429, "too_many_requests")
    assert "with this key" in answer.json()["detail"]
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    assert f'"writes_by_key";r=0;t={answer.headers["retry-after"]}' in answer.headers["ratelimit"]
    # What was refused did not count against the address, which has two left.
    assert [write(client, plain["Bob"]).status_code for _ in range(3)] == [201, 201, 429]
    answer = write(client, plain["Bob"])
    assert "from this address" in answer.json()["detail"]
    # Reading goes on, also what needs a key, and is not counted.
    assert client.get("/v1/claims").status_code == 200
    answer = client.get("/v1/keys", headers=bearer(plain["Anna"]))
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers
    assert len(answer.json()["data"]) == 2 + 3 + 2


def test_a_batch_counts_as_as_many_writes_as_it_has_records(
    few: tuple[TestClient, dict[str, str]],
) -> None:
    client, plain = few
    records = [
        {"record": "topic", "id": f"topic-{n}", "label": "T", "definition": "A topic."}
        for n in range(4)
    ]
    answer = client.post(
        "/v1/claims:batch", json={"records": records}, headers=bearer(plain["Anna"])
    )
    # More than the key has left, which is no reason to refuse what could never be sent else.
    assert (answer.status_code, len(answer.json()["data"])) == (201, 4)
    assert '"writes_by_key";r=0;' in answer.headers["ratelimit"]
    assert '"writes_by_address";r=1;' in answer.headers["ratelimit"]
    # What is owed has to fill first: three a minute, so one more takes longer than after a third
    # write.
    refused = write(client, plain["Anna"])
    assert (refused.status_code, problem(refused)["code"]) == (429, "too_many_requests")
    assert 20 < int(refused.headers["retry-after"]) <= 40
    assert [write(client, plain["Bob"]).status_code for _ in range(2)] == [201, 429]


def test_writes_without_a_key_or_right_count_too(few: tuple[TestClient, dict[str, str]]) -> None:
    client, _ = few
    assert [write(client, None).status_code for _ in range(7)] == [401] * 5 + [429] * 2


def test_the_address_that_a_client_claims_counts_for_nothing(
    few: tuple[TestClient, dict[str, str]],
) -> None:
    client, _ = few
    got = [
        write(
            client, None, **{"X-Forwarded-For": f"203.0.113.{n}", "Forwarded": f"for=203.0.113.{n}"}
        )
        for n in range(6)
    ]
    assert [answer.status_code for answer in got] == [401] * 5 + [429]


def test_the_limits_can_be_set_for_thousands_of_writes(empty: Store) -> None:
    settings = Settings(
        database_url=empty.url, key_writes_per_minute=10**9, address_writes_per_minute=10**9
    )
    found = create_app(settings).state.limits
    assert taken(found.writes_by_key, "x", 32 * 200) == 32 * 200


def test_files_to_be_read_are_limited_by_address(empty: Store) -> None:
    app = create_app(Settings(database_url=empty.url, address_writes_per_minute=1))
    app.state.limits.files_by_address = Limit(2 * LEAST_FILE_BYTES, clock=lambda: 0.0)
    with TestClient(app, raise_server_exceptions=False) as client:
        for left in (LEAST_FILE_BYTES, 0):
            answer = client.post("/v1/sources:parse", content="@book{a, title={T}}")
            assert answer.status_code == 200
            assert answer.headers["ratelimit"].startswith(f'"files_by_address";r={left};t=')
        answer = client.post("/v1/sources:parse", content="@book{a, title={T}}")
        assert (answer.status_code, problem(answer)["code"]) == (429, "too_many_requests")
        assert "bytes of files of citations from this address" in answer.json()["detail"]
        assert 1 <= int(answer.headers["retry-after"]) <= 30
        # They are no writes: of those there is still one.
        assert [write(client, None).status_code for _ in range(2)] == [401, 429]
