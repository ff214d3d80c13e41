"""What cannot be true of a line of evidence, or of the ties of a source, is refused with its place:
as a request, and as a line of an import.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from models.transfer import jsonl_reader, load
from tests.api.curating import CLAIM, NOW, Desk, a_record
from tests.databases import Store

TRIAL = {"study_design": "randomised_trial", "level": "2", "question": "treatment_benefit"}
ALONE = {**TRIAL, "studies": None}
INTERVAL = {"measure": "odds ratio", "estimate": 5, "low": 1, "high": 2}
UPSIDE_DOWN = {"measure": "odds ratio", "low": 3, "high": 2}
# What is wrong with a line, its place and the code.
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "a review pools itself": ({"pools": ["comi-2013", "doepp-2010"]}, "pools/1", "pools_itself"),
    "an interval without its estimate": (
        *({**ALONE, "effects": [INTERVAL]}, "effects/0/estimate"),
        "interval",
    ),
    "an interval upside down": (
        *({**ALONE, "effects": [{"measure": "mean"}, UPSIDE_DOWN]}, "effects/1/low"),
        "interval",
    ),
    "a trial graded up": ({**ALONE, "graded_up": ["large_effect"]}, "graded_up", "graded_up"),
    "no studies": ({"studies": 0}, "studies", "greater_than_equal"),
    "a trial of several studies": ({**TRIAL, "studies": 3}, "studies", "not_a_review"),
    "a direct line about another question": (
        *({"question": "diagnosis", "level": "2", "directness": "direct"}, "directness"),
        "question_of_kind",
    ),
}


def tied_to(other: str) -> dict[str, Any]:
    return {"versions": [{"type": "version_of", "source": other}]}


def test_a_request_is_refused_with_the_place(desk: Desk) -> None:
    for case, (more, at, code) in BAD.items():
        body = a_record("evidence", "bad", **more)
        told = desk.must(422, "anna", "POST", f"/v1/claims/{CLAIM}/evidence", body)
        errors = [(error["pointer"], error["code"]) for error in told["errors"]]
        assert errors == [(f"/{at}", code)], case


def test_a_source_of_the_future_is_refused_with_the_place(desk: Desk) -> None:
    desk.accepted("source", "first")
    for name in ("issued", "epub_date", "accessed"):
        late = {name: "2135-01"}
        told = desk.must(422, "anna", "POST", "/v1/sources", a_record("source", "second", **late))
        changed = desk.must(422, "cleo", "PATCH", "/v1/sources/first", late, If_Match=NOW)
        errors = [(each["pointer"], each["code"]) for each in (*told["errors"], *changed["errors"])]
        assert errors == [(f"/{name}", "date_in_future")] * 2


def test_a_posted_title_has_no_mark_up(desk: Desk) -> None:
    posted = a_record("source", "first", title="<i>T. thynnus</i> &amp; H<sub>2</sub>O")
    told = desk.must(201, "anna", "POST", "/v1/sources", posted)
    assert told["record"]["title"] == "T. thynnus & H₂O"
    in_batch = {**a_record("source", "second", page="12–19"), "record": "source"}
    batch = desk.must(201, "anna", "POST", "/v1/claims:batch", {"records": [in_batch]})
    assert batch["data"][0]["record"]["page"] == "12-19"


def test_what_was_read_of_a_file_can_be_posted(desk: Desk) -> None:
    file = "TY  - CHAP\nTI  - Veins\nAU  - Doe, J\nED  - Roe, R\nSN  - 978-0-13-110362-7\nER  - \n"
    parsed = desk.client.post("/v1/sources:parse", content=file).json()
    (record,) = (entry["record"] for entry in parsed["data"])
    told = desk.must(201, "anna", "POST", "/v1/claims:batch", {"records": [record]})
    stored = told["data"][0]["record"]
    assert stored["container_isbn"] == "9780131103627"
    assert [person["family"] for person in stored["contributors"]] == ["Roe"]


def test_a_cycle_of_versions_is_refused_with_the_place(desk: Desk) -> None:
    desk.accepted("source", "first")
    desk.accepted("source", "second", **tied_to("first"))
    told = desk.must(422, "cleo", "PATCH", "/v1/sources/first", tied_to("second"), If_Match=NOW)
    itself = a_record("source", "itself", **tied_to("itself"))
    refused = desk.must(422, "anna", "POST", "/v1/sources", itself)
    found = [(each["errors"][0]["pointer"], each["errors"][0]["code"]) for each in (told, refused)]
    place = "/versions/0/source"
    assert found == [(place, "cycle_of_versions"), (place, "version_of_itself")]


def test_an_import_is_refused_with_the_line_and_the_place(seeded: Store, tmp_path: Path) -> None:
    records = [
        {"record": "source", **a_record("source", "first", **tied_to("second"))},
        {"record": "source", **a_record("source", "second", **tied_to("first"))},
        *(
            {"record": "evidence", "claim": CLAIM, **a_record("evidence", f"bad-{number}", **more)}
            for number, (more, _, _) in enumerate(BAD.values())
        ),
    ]
    path = tmp_path / "bad.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    told: list[Any] = []
    with jsonl_reader.open_input(path) as opened, pytest.raises(load.BadImport):
        load.load(seeded.database, opened, report=told.append)
    found = {
        problem.location: (problem.fault.at, problem.fault.code)
        for problem in told
        if hasattr(problem, "fault")
    }
    place = ("versions/0/source", "cycle_of_versions")
    wanted = {"line 1": place, "line 2": place}
    wanted |= {f"line {line}": (at, code) for line, (_, at, code) in enumerate(BAD.values(), 3)}
    assert found == wanted
