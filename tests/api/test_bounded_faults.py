"""However much is wrong with a request, looking for it and telling it has a bound."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from models.core.errors import MOST_FAULTS, InvalidRecord
from models.database import prepared_statements
from models.read import references
from models.records.record_types import RECORD_TYPES
from models.transfer.line_records import parse_line
from models.write import review
from tests.api.curating import CLAIM, EVIDENCE, Desk, a_record
from tests.api.requests import problem
from tests.growth import MOST_GROWTH, growth
from tests.records import CURATOR

UNKNOWN = {f"unknown-{number}": number for number in range(1000)}


def faulty(records: int, fields: int = 100) -> list[dict[str, Any]]:
    unknown = {f"unknown-{number}": number for number in range(fields)}
    return [
        a_record("topic", f"t-{number}", record="topic", **unknown) for number in range(records)
    ]


def test_a_batch_is_judged_while_somebody_writes_and_tells_a_hundred_faults(desk: Desk) -> None:
    body = {"records": faulty(1000, 30)}
    with desk.store.database.write():
        answer = desk.ask("anna", "POST", "/v1/claims:batch", body)
    assert answer.status_code == 422
    told = problem(answer)
    assert (len(told["errors"]), told["more_errors"]) == (MOST_FAULTS, 29_900)
    assert told["detail"].startswith("30,000 faults; nothing was stored.")
    assert told["errors"][31]["pointer"] == "/records/1/unknown-1"
    assert len(answer.content) < 100_000


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/topics", a_record("topic", "t") | UNKNOWN),
        ("PUT", EVIDENCE, a_record("evidence", "example") | UNKNOWN),
        ("PATCH", f"/v1/claims/{CLAIM}", UNKNOWN),
        ("POST", "/v1/claims:batch", {"records": [{}]} | UNKNOWN),
    ],
)
def test_a_record_is_judged_while_somebody_writes_and_tells_a_hundred_faults(
    method: str, path: str, body: dict[str, Any], untouched_desk: Desk
) -> None:
    with untouched_desk.store.database.write():
        answer = untouched_desk.ask("cleo", method, path, body, If_Match='"1"')
    assert answer.status_code == 422
    told = problem(answer)
    assert (len(told["errors"]), told["more_errors"]) == (MOST_FAULTS, 900)
    assert {error["code"] for error in told["errors"]} == {"unknown_field"}
    assert told["errors"][0]["pointer"] == "/unknown-0"


def test_few_faults_are_all_told_and_nothing_is_said_of_more(desk: Desk) -> None:
    answer = desk.ask("anna", "POST", "/v1/claims:batch", {"records": faulty(2, 3)})
    told = problem(answer)
    assert len(told["errors"]) == 6
    assert "more_errors" not in told


def test_unknown_references_of_a_batch_are_looked_up_until_a_hundred_are_found(desk: Desk) -> None:
    records = [
        a_record("claim", f"c-{number}", record="claim", topics=["nowhere"])
        for number in range(300)
    ]
    told = problem(desk.ask("anna", "POST", "/v1/claims:batch", {"records": records}))
    assert len(told["errors"]) == MOST_FAULTS
    assert told["detail"].startswith("100 faults in the first 100 records; nothing was stored.")


def refuse_batch(records: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidRecord):
        review.judge_all(CURATOR, records, [f"records/{place}" for place in range(len(records))])


def refuse_record(record: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        review.judge(CURATOR, RECORD_TYPES["topic"], record)


@pytest.mark.parametrize(
    ("make", "work", "size"),
    [
        (faulty, refuse_batch, 250),
        (lambda size: faulty(1, size)[0], refuse_record, 2_000),
        (
            lambda size: a_record("source", "s", authors=[{"unknown": 1}] * size),
            lambda record: review_refuses("source", record),
            2_000,
        ),
    ],
    ids=["records", "fields", "parts"],
)
def test_twice_as_many_faults_cost_at_most_twice_as_much(
    make: Callable[[int], Any], work: Callable[[Any], None], size: int
) -> None:
    assert growth(make, work, size) < MOST_GROWTH


def review_refuses(kind: str, record: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord) as refused:
        review.judge(CURATOR, RECORD_TYPES[kind], record)
    assert len(refused.value.faults) == MOST_FAULTS


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_far_too_many_faults_are_told_as_one(method: str, desk: Desk) -> None:
    path = {"POST": "/v1/topics", "PUT": "/v1/topics/ms"}[method]
    body = a_record("topic", "ms", **{f"unknown-{number}": 1 for number in range(30_000)})
    answer = desk.ask("cleo", method, path, body, If_Match='"1"')
    told = problem(answer)
    assert answer.status_code == 422
    assert [error["code"] for error in told["errors"]] == ["too_many_faults"]
    assert told["errors"][0]["detail"].startswith("30,000 faults:")


def test_a_line_of_an_import_tells_a_hundred_faults_and_how_many_more() -> None:
    (problems,) = parse_line("line 1", a_record("topic", "t", record="topic", **UNKNOWN))
    assert isinstance(problems, list)
    assert len(problems) == MOST_FAULTS + 1
    assert problems[-1].fault.detail == "900 more faults of this record are not listed."


def test_unknown_parameters_are_told_up_to_a_hundred(client: TestClient) -> None:
    for path in ("/v1/claims", "/v1/topics/ms"):
        query = "&".join(f"n{number}=1" for number in range(900))
        told = problem(client.get(f"{path}?{query}"))
        assert (len(told["errors"]), told["more_errors"]) == (MOST_FAULTS, 800), path


def test_a_long_name_is_not_sent_back_whole(desk: Desk) -> None:
    answer = desk.ask("anna", "POST", "/v1/topics", a_record("topic", "t") | {"x" * 500_000: 1})
    assert answer.status_code == 422
    assert len(answer.content) < 10_000


class Count:
    """Calls of functions that are counted and carried out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        self.calls = 0
        function = getattr(module, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            return function(*arguments, **named)

        monkeypatch.setattr(module, name, counted)

    def during(self, work: Callable[[], object]) -> int:
        """Return the number of calls while something is done."""
        before = self.calls
        work()
        return self.calls - before


@pytest.mark.parametrize(
    "address",
    ["/v1/claims?source=", "/v1/claims?topic=", "/v1/evidence?claim=", "/v1/changes?claim="],
)
def test_only_the_first_of_many_unknown_slugs_is_searched_for(
    address: str, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are looked up by one statement, so more of them need no more statements."""
    searches = Count(monkeypatch, references, "nearest")
    statements = Count(monkeypatch, prepared_statements, "_execute")

    def ask(number: int) -> None:
        slugs = ",".join(f"doepp-2010-{each}" for each in range(number))
        told = problem(client.get(address + slugs))
        assert told["code"] == "unknown_value"
        assert len(told["errors"]) == number
        assert [error for error in told["errors"][1:] if "suggestion" in error] == []

    ask(2)  # A first request reads what later ones have cached.
    few = statements.during(lambda: ask(3))
    assert statements.during(lambda: ask(48)) == few
    # What is cut off in the event loop begins anew in a thread.
    assert searches.during(lambda: ask(47)) <= 2
