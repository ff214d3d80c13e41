"""Filters on what a line was graded for, checked against and pools, and on the ties of sources.

The records come in the two ways in which rows are written: as changes, and loaded in bulk.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings
from models.records.evidence import EvidenceIn
from models.transfer import jsonl_reader, load
from models.write import changes
from tests.api.requests import ids, problem
from tests.databases import Store
from tests.records import a_claim, a_line, a_source, put_part

TIES = {
    "second": [{"type": "version_of", "source": "first"}],
    "preprint": [{"type": "preprint_of", "source": "first"}],
    "notice": [
        {"type": "retracts", "source": "second"},
        {"type": "erratum_to", "source": "other"},
    ],
    "chapter": [{"type": "part_of", "source": "other"}],
}
SOURCES = [
    a_source("first", title_status="printed"),
    a_source(
        "other",
        title="[A trial]",
        title_status="described",
        identifiers=[{"scheme": "pmid", "value": "1", "verification": "unverified"}],
    ),
    *(a_source(slug, versions=versions) for slug, versions in TIES.items()),
]
REVIEW = {"study_design": "systematic_review", "question": "prognosis", "level": "3"}
COHORT = {"study_design": "cohort", "question": "prognosis", "level": "3"}
LINES = [
    a_line("a", source="first", graded_down=["quality", "imprecision"], checked_against="abstract"),
    a_line("b", source="other", graded_down=["small_effect"], extraction="machine"),
    a_line("c", source="second", **COHORT, graded_up=["large_effect"], checked_against="full_text"),
    a_line("d", source="preprint", **REVIEW, pools=["first", "other"]),
    a_line("e", source="notice", **REVIEW, pools=["other"], extraction="machine_reviewed"),
]


def as_changes(store: Store) -> None:
    with changes.begin(store.database, actor="ada") as change:
        for source in SOURCES:
            changes.put_source(change, source)
        changes.put_claim(change, a_claim())
        for line in LINES:
            put_part(change, "x-causes-y", line)


def in_bulk(store: Store, folder: Path) -> None:
    claim = {**a_claim().model_dump(), "evidence": [line.model_dump() for line in LINES]}
    records: list[Any] = [{"record": "source", **source.model_dump()} for source in SOURCES]
    records.append({"record": "claim", **claim})
    path = folder / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    with jsonl_reader.open_input(path) as opened:
        load.load(store.database, opened, report=print)


@pytest.fixture(params=["changes", "bulk"])
def filled(request: pytest.FixtureRequest, empty: Store, tmp_path: Path) -> Iterator[TestClient]:
    if request.param == "changes":
        as_changes(empty)
    else:
        in_bulk(empty, tmp_path)
    with TestClient(create_app(Settings(database_url=empty.url))) as client:
        yield client


def lines(client: TestClient, query: str) -> str:
    """Return the keys of the lines on a page."""
    found = ids(client, f"/v1/evidence?{query}")
    assert ids(client, f"/v1/claims/x-causes-y/evidence?{query}") == found
    return "".join(each.rpartition(":")[2] for each in found)


def test_the_filters(filled: TestClient) -> None:
    of_lines = {
        "graded_down=quality": "a",
        "graded_down=small_effect,imprecision": "ab",
        "graded_down=inconsistency": "",
        "graded_up=large_effect": "c",
        "graded_up=dose_response": "",
        "extraction=machine": "b",
        "extraction=machine,machine_reviewed": "be",
        "extraction=manual": "acd",
        "checked_against=abstract": "a",
        "checked_against.ne=abstract": "bcde",
        "checked_against.ne=abstract,full_text,page": "bde",
        "pools=first": "d",
        "pools=other": "de",
        "pools=pmid:1": "de",
        "pools=first,other&extraction=manual": "d",
        "pools=second": "",
        "graded_down=quality&checked_against=full_text": "",
    }
    assert {query: lines(filled, query) for query in of_lines} == of_lines
    of_sources: dict[str, list[str]] = {
        "title_status=described": ["other"],
        "title_status=printed,described": ["first", "other"],
        "version_of=first": ["second"],
        "preprint_of=first": ["preprint"],
        "version_of=second": [],
        "retracts=second": ["notice"],
        # Tied to it, but otherwise.
        "retracts=other": [],
        "erratum_to=other": ["notice"],
        "part_of=pmid:1": ["chapter"],
        "part_of=other,first": ["chapter"],
        "version_of=first&title_status=printed": [],
    }
    assert {query: ids(filled, f"/v1/sources?{query}") for query in of_sources} == of_sources


def test_a_slug_that_is_not_stored_is_a_mistake(filled: TestClient) -> None:
    for path in ("/v1/evidence?pools=frist", "/v1/sources?version_of=frist"):
        answer = filled.get(path)
        (error,) = problem(answer)["errors"]
        assert (answer.status_code, error["suggestion"]) == (400, "first")
        assert error["detail"] == "There is no source 'frist'."


def test_a_line_that_was_changed_is_found_as_it_is(empty: Store) -> None:
    as_changes(empty)
    changed = EvidenceIn.model_validate(
        {**LINES[0].model_dump(), "graded_down": ["inconsistency"], "checked_against": "page"}
    )
    with changes.begin(empty.database, actor="ada") as change:
        put_part(change, "x-causes-y", changed)
    with TestClient(create_app(Settings(database_url=empty.url))) as client:
        assert lines(client, "graded_down=quality") == ""
        assert lines(client, "graded_down=inconsistency&checked_against=page") == "a"
