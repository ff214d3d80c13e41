"""A citation file that is imported over HTTP: what is new is stored, in whose name and how."""

from typing import Any

import pytest

from api.routes.review import MOST_RECORDS
from tests.api.curating import Desk
from tests.api.requests import problem

IMPORT = "/v1/sources:import"
FILE = """TY  - CHAP
TI  - Veins
AU  - Doe, J
PY  - 2001
ER  -
TY  - JOUR
TI  - Anomalous venous blood flow and iron deposition in multiple sclerosis
DO  - 10.1038/jcbfm.2009.180
ER  -
TY  - JOUR
AU  - Nobody, N
ER  -
"""


def entry(number: int) -> str:
    return f"TY  - JOUR\nTI  - Title {number}\nAU  - Many, A\nPY  - 2001\nER  - \n"


def told(answer: Any) -> dict[str, int]:
    """Return the numbers of an answer."""
    return {name: answer[name] for name in ("found", "new", "matched", "reported", "stored")}


@pytest.mark.parametrize(("who", "state"), [("anna", "submitted"), ("cleo", "accepted")])
def test_what_is_new_is_stored_once(desk: Desk, who: str, state: str) -> None:
    answer = desk.must(201, who, "POST", f"{IMPORT}?comment=From+my+library", FILE)
    assert told(answer) == {"found": 3, "new": 1, "matched": 1, "reported": 1, "stored": 1}
    record = desk.record("source", "doe-2001", who)
    assert (record["state"], record["comment"]) == (state, "From my library")
    shown = desk.ask(None, "GET", "/v1/sources/doe-2001").status_code
    assert shown == (200 if state == "accepted" else 404)
    assert desk.disagreements() == []


def test_a_second_import_finds_what_the_first_stored(desk: Desk) -> None:
    desk.must(201, "cleo", "POST", IMPORT, FILE)
    answer = desk.must(201, "anna", "POST", IMPORT, FILE)
    assert told(answer) == {"found": 3, "new": 0, "matched": 2, "reported": 1, "stored": 0}


def test_a_repetition_is_not_carried_out_again(desk: Desk) -> None:
    first = desk.ask("cleo", "POST", IMPORT, FILE, Idempotency_Key="once")
    again = desk.ask("cleo", "POST", IMPORT, FILE, Idempotency_Key="once")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"


def test_nothing_is_stored_where_somebody_else_proposed_the_same_id(desk: Desk) -> None:
    desk.must(201, "anna", "POST", IMPORT, FILE)
    refused = problem(desk.ask("emil", "POST", IMPORT, entry(1) + FILE))
    assert refused["status"] == 409
    assert desk.ask("dora", "GET", "/v1/records/source/many-2001").status_code == 404
    # A curator may know of the proposal, so that it is what the entry matches.
    answer = desk.must(201, "cleo", "POST", IMPORT, entry(1) + FILE)
    assert told(answer) == {"found": 4, "new": 1, "matched": 2, "reported": 1, "stored": 1}


def test_a_file_of_too_many_entries_is_refused_whole(desk: Desk) -> None:
    file = "".join(map(entry, range(MOST_RECORDS + 1)))
    refused = problem(desk.ask("cleo", "POST", IMPORT, file))
    assert (refused["status"], refused["code"]) == (422, "too_complex")
    assert "1,001 entries" in refused["detail"]
    assert desk.ask(None, "GET", "/v1/sources/many-2001").status_code == 404


def test_what_is_no_file_is_refused(desk: Desk) -> None:
    refused = problem(desk.ask("cleo", "POST", IMPORT, "hello"))
    assert (refused["status"], refused["errors"][0]["parameter"]) == (400, "format")
    assert desk.ask(None, "POST", IMPORT, FILE).status_code == 401
