"""Registries are asked politely and patiently, and what they answer is bounded: against a
stand-in that errs as they do.
"""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from api.citations import registries
from api.citations.registries import Registry, Unanswered, Unavailable, Unknown
from tests.registries_stand_in import Answer, Registered, always, once, standing_in

WORK = {"DOI": "10.1000/a"}


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Registered, httpx2.Client]]:
    with standing_in() as registered, registries.asking("me@example.org") as client:
        yield registered, client


@pytest.fixture
def known(running: tuple[Registered, httpx2.Client]) -> Registered:
    registered = running[0]
    registered.forget()
    registered.works["10.1000/a"] = WORK
    return registered


@pytest.fixture
def waited() -> list[float]:
    return []


@pytest.fixture
def registry(
    known: Registered, running: tuple[Registered, httpx2.Client], waited: list[float]
) -> Registry:
    parameters = {"mailto": "me@example.org"}
    return Registry("Crossref", known.base, running[1], parameters, 0.0, waited.append)


def get(registry: Registry) -> dict[str, object]:
    return registry.get(
        "/works/10.1000%2Fa", {}, lambda content: registries.json_object(content, "message")
    )


def test_it_says_who_asks(known: Registered, registry: Registry) -> None:
    assert get(registry) == WORK
    assert known.asked == ["/works/10.1000%2Fa?mailto=me%40example.org"]
    (agent,) = known.agents
    assert agent.startswith("claimbase/")
    assert "(mailto:me@example.org)" in agent


PASSING = {
    "overloaded": Answer(503),
    "too many, without a time": Answer(429, b'{"error":"API rate limit exceeded"}'),
    "a fault": Answer(500),
    "broken JSON": Answer(body=b'{"message": {"DOI": '),
    "a page for people": Answer(body=b"<html>Down for maintenance</html>"),
    "another form": Answer(body=b'{"message": ["10.1000/a"]}'),
    "nested deeply": Answer(body=b"[" * 100_000),
    "cut off": Answer(body=b'{"message"', length=1000),
    "no gzip": Answer(body=b"no", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_tried_again(
    name: str, known: Registered, registry: Registry, waited: list[float]
) -> None:
    known.fault = once(PASSING[name])
    assert get(registry) == WORK
    assert waited == [registries.BACK_OFF]
    assert len(known.asked) == 2


def test_the_wait_doubles_until_it_is_given_up(
    known: Registered, registry: Registry, waited: list[float]
) -> None:
    known.fault = always(Answer(500))
    with pytest.raises(Unanswered, match="Crossref: it answered 500"):
        get(registry)
    assert waited == [2.0, 4.0, 8.0, 16.0]
    assert len(known.asked) == registries.ATTEMPTS


def test_a_time_to_wait_is_kept(known: Registered, registry: Registry, waited: list[float]) -> None:
    known.fault = once(Answer(429, headers={"Retry-After": "7"}))
    assert get(registry) == WORK
    assert waited == [7.0]
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    known.fault = once(Answer(503, headers={"Retry-After": moment}))
    assert get(registry) == WORK
    assert 90 < waited[1] <= 100
    known.fault = once(Answer(503, headers={"Retry-After": "soon"}))
    assert get(registry) == WORK
    assert waited[2] == registries.BACK_OFF


def test_who_asks_for_too_much_patience_is_left(
    known: Registered, registry: Registry, waited: list[float]
) -> None:
    known.fault = always(Answer(429, headers={"Retry-After": "86400"}))
    with pytest.raises(Unavailable, match="asks to wait for 86400 s"):
        get(registry)
    assert (waited, len(known.asked)) == ([], 1)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_who_is_down_is_left(status: int, known: Registered, registry: Registry) -> None:
    known.fault = always(Answer(status))
    with pytest.raises(Unavailable, match=f"it answered {status}"):
        get(registry)


def test_who_never_answers_anything_usable_is_left(known: Registered, registry: Registry) -> None:
    known.fault = always(Answer(body=b"{}"))
    for _ in range(registries.MOST_FAILURES - 1):
        with pytest.raises(Unanswered, match="no 'message'"):
            get(registry)
    with pytest.raises(Unavailable):
        get(registry)


def test_no_network_is_told(waited: list[float]) -> None:
    with registries.asking("me@example.org") as client:
        nobody = Registry("Crossref", "http://127.0.0.1:1", client, {}, 0.0, waited.append)
        with pytest.raises(Unavailable, match="cannot be reached; is there a network"):
            get(nobody)


def test_a_slow_answer_is_abandoned_and_asked_for_again(
    known: Registered, waited: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "SECONDS", 0.2)
    gate = threading.Event()
    known.fault = once(Answer(gate=gate))
    with registries.asking("me@example.org") as client:
        assert get(Registry("Crossref", known.base, client, {}, 0.0, waited.append)) == WORK
    gate.set()
    assert waited == [registries.BACK_OFF]


def test_what_is_unknown_or_malformed_is_not_asked_for_again(
    known: Registered, registry: Registry
) -> None:
    known.works.clear()
    with pytest.raises(Unknown):
        get(registry)
    known.fault = once(Answer(400))
    with pytest.raises(Unknown):
        get(registry)
    known.fault = once(Answer(403))
    with pytest.raises(Unanswered, match="answered 403"):
        get(registry)
    assert len(known.asked) == 3


def test_an_answer_without_end_is_not_read(
    known: Registered, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "MOST_BYTES", 1_000)
    known.fault = always(Answer(body=b" " * 1_001))
    with pytest.raises(Unanswered, match="more than 1,000 bytes"):
        get(registry)


def test_redirects_are_followed_on_the_same_site_alone(
    known: Registered, registry: Registry
) -> None:
    known.fault = once(Answer(301, headers={"Location": "/works/10.1000%2fa?mailto=x"}))
    assert get(registry) == WORK
    known.asked.clear()
    for elsewhere in ("http://169.254.169.254/secret", "//example.org/x", "file:///etc/passwd"):
        known.fault = always(Answer(302, headers={"Location": elsewhere}))
        with pytest.raises(Unanswered, match="another site"):
            get(registry)
    assert not any("secret" in address for address in known.asked)
    known.fault = always(Answer(302, headers={"Location": "/works/10.1000%2Fa"}))
    with pytest.raises(Unanswered, match="again and again"):
        get(registry)


def test_requests_keep_the_pace_that_the_registry_tells(
    known: Registered, registry: Registry, waited: list[float]
) -> None:
    known.fault = once(
        Answer(
            body=b'{"message": {}}',
            headers={"X-Rate-Limit-Limit": "3", "X-Rate-Limit-Interval": "60s"},
        )
    )
    get(registry)
    assert waited == []
    get(registry)
    assert len(waited) == 1
    assert 19 < waited[0] <= 20
