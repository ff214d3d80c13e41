"""Batches: a claim with its parts as exports have it, identifiers in any form, faults in words."""

from typing import Any

import pytest

from tests.api.curating import CLAIM, Desk, a_record, at_desk
from tests.databases import SEEDED, Store
from tests.models.exports import exported, records

BATCH = "/v1/claims:batch"


def propose(desk: Desk, *sent: Any, status: int = 201, who: str = "cleo") -> Any:
    return desk.must(status, who, "POST", BATCH, {"records": list(sent)})


def essence(line: Any) -> Any:
    """Return a line of an export without serials and times."""
    if isinstance(line, dict):
        left_out = ("revision", "created", "updated")
        return {name: essence(value) for name, value in line.items() if name not in left_out}
    return [essence(each) for each in line] if isinstance(line, list) else line


def lines_of(store: Store) -> list[Any]:
    return [
        line for line in records(exported(store)) if line["record"] not in ("export", "revision")
    ]


def test_what_an_export_writes_can_be_proposed_and_is_the_same_again(
    seeded: Store, empty: Store
) -> None:
    lines = lines_of(seeded)
    # What decides at once needs a claim that is accepted: it comes in a second call.
    assessments = [
        {"record": "assessment", "revision": line["revision"], **each}
        for line in lines
        for each in line.get("assessments", ())
    ]
    bare = [{**line, "assessments": []} if "assessments" in line else line for line in lines]
    with at_desk(empty) as desk:
        # In any order: here each record comes before what it refers to.
        told = propose(desk, *reversed(bare))["data"]
        assert len(told) == SEEDED - len(assessments)
        wanted = [
            {
                "kind": each["kind"],
                "record": each["id"],
                "action": "accept",
                "revision": each["revision"],
            }
            for each in told
            if each["state"] == "submitted"
        ]
        decisions = {"decisions": wanted}
        assert desk.must(200, "dora", "POST", "/v1/reviews:decide", decisions)["done"] == len(
            wanted
        )
        propose(desk, *assessments)
        assert [essence(line) for line in lines_of(empty)] == [essence(line) for line in lines]
        assert desk.disagreements() == []


def test_a_claim_is_proposed_with_its_parts(desk: Desk) -> None:
    claim = {
        "record": "claim",
        **a_record("claim", "whole"),
        "occurrences": [a_record("occurrence", "a")],
        "relations": [a_record("relation", CLAIM)],
        "evidence": [a_record("evidence", "a"), a_record("evidence", "b")],
    }
    told = propose(desk, claim, who="anna")["data"]
    assert [each["id"] for each in told] == [
        *("whole", "whole:a", f"whole:comments_on:{CLAIM}", "whole:a", "whole:b"),
    ]
    assert {each["state"] for each in told} == {"submitted"}
    # The names of what the API derives are no fields of what a person writes.
    refused = propose(desk, {**claim, "id": "other", "status": "refuted"}, status=422)
    assert [each["code"] for each in refused["errors"]] == ["unknown_field"]


FAULTY: list[tuple[dict[str, Any], str, str]] = [
    ({"evidence": "none"}, "/records/1/evidence", "not_a_list"),
    ({"occurrences": [3]}, "/records/1/occurrences/0", "not_a_record"),
    ({"evidence": [{"claim": CLAIM}]}, "/records/1/evidence/0/claim", "other_claim"),
    (
        {"evidence": [a_record("evidence", "a", colour="red")]},
        "/records/1/evidence/0/colour",
        "unknown_field",
    ),
    (
        {"evidence": [a_record("evidence", "a"), a_record("evidence", "b", source="nowhere")]},
        "/records/1/evidence/1/source",
        "unknown_reference",
    ),
    ({"revision": 3, "state": "retracted"}, "/records/1/state", "fixed_field"),
    ({"evidence": [a_record("evidence", f"e-{n}") for n in range(1000)]}, "/records", "too_long"),
]


@pytest.mark.parametrize(("more", "pointer", "code"), FAULTY)
def test_a_fault_names_its_place_in_the_claim(
    more: dict[str, Any], pointer: str, code: str, untouched_desk: Desk
) -> None:
    first = {"record": "topic", **a_record("topic", "first")}
    told = propose(
        untouched_desk, first, {"record": "claim", **a_record("claim", "whole"), **more}, status=422
    )
    assert [(each["pointer"], each["code"]) for each in told["errors"]] == [(pointer, code)]
    untouched_desk.must(404, "cleo", "GET", "/v1/records/topic/first")


@pytest.mark.parametrize("path", ["/v1/sources", BATCH])
def test_identifiers_are_taken_in_any_written_form(path: str, desk: Desk) -> None:
    written = {
        "doi": ("https://doi.org/10.1234/ABC.1", "10.1234/abc.1"),
        "isbn": ("ISBN 978-0-306-40615-7", "9780306406157"),
        "pmid": ("PMID: 12345678", "12345678"),
        "pmcid": ("https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1234567/", "PMC1234567"),
        "nct": ("nct01234567", "NCT01234567"),
    }
    identifiers = [
        {"scheme": scheme, "value": value, "verification": "unverified"}
        for scheme, (value, _) in written.items()
    ]
    source = a_record("source", "any", identifiers=identifiers)
    sent = {"records": [{"record": "source", **source}]} if path == BATCH else source
    told = desk.must(201, "anna", "POST", path, sent)
    record = (told["data"][0] if path == BATCH else told)["record"]
    found = {each["scheme"]: each["value"] for each in record["identifiers"]}
    assert found == {scheme: value for scheme, (_, value) in written.items()}
    same = {"scheme": "doi", "value": "DOI:10.1234/abc.1", "verification": "unverified"}
    again = a_record("source", "again", identifiers=[same])
    sent = {"records": [{"record": "source", **again}]} if path == BATCH else again
    refused = desk.must(422, "anna", "POST", path, sent)
    assert [each["code"] for each in refused["errors"]] == ["identifier_taken"]


WORDS = [
    ("source", {"authors": ["Doe J"]}, "authors/0", "An author is an object with family, given,"),
    ("source", {"authors": "Doe J"}, "authors", "This is a list: an author is an object with"),
    (
        "source",
        {"identifiers": ["10.1/x"]},
        "identifiers/0",
        "An identifier is an object with scheme",
    ),
    ("evidence", {"effects": ["OR 2"]}, "effects/0", "An effect is an object with measure,"),
    ("evidence", {"groups": [3]}, "groups/0", "A group is an object with name,"),
    ("evidence", {"risk_of_bias": "low"}, "risk_of_bias", "A risk of bias is an object with"),
]


@pytest.mark.parametrize(("kind", "more", "place", "words"), WORDS)
def test_what_should_be_an_object_is_told_in_the_words_of_the_field(
    kind: str, more: dict[str, Any], place: str, words: str, untouched_desk: Desk
) -> None:
    record = {"record": kind, **a_record(kind, "a", **more)}
    if kind == "evidence":
        record["claim"] = CLAIM
    (fault,) = propose(untouched_desk, record, status=422)["errors"]
    assert fault["pointer"] == f"/records/0/{place}"
    assert fault["detail"].startswith(words)


def test_a_batch_is_told_what_may_be_the_same(desk: Desk) -> None:
    stored = desk.must(200, None, "GET", f"/v1/claims/{CLAIM}")["statement"]
    title = desk.must(200, None, "GET", "/v1/sources/doepp-2010")["title"]
    sent = [
        {"record": "topic", **a_record("topic", "new")},
        {"record": "claim", **a_record("claim", "again", statement=stored)},
        {"record": "source", **a_record("source", "again", title=title)},
        *({"record": "claim", **a_record("claim", f"c-{number}")} for number in range(100)),
    ]
    found = [each["possible_duplicates"] for each in propose(desk, *sent)["data"]]
    assert found[0] is None
    assert found[1][0]["id"] == CLAIM
    assert found[2][0]["id"] == "doepp-2010"
    assert found[3] == []
    # The first hundred of those that are compared.
    assert found[100:] == [[], None, None]
