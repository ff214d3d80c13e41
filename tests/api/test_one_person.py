"""Who curates alone decides on their own proposals where the setting says so; revisions tell."""

from collections.abc import Iterator

import pytest

from tests.api.curating import CLAIM, NOW, PATCHES, Desk, at_desk, native
from tests.databases import Store
from tests.models.exports import as_lines, exported, load, records


@pytest.fixture
def alone(seeded: Store) -> Iterator[Desk]:
    with at_desk(seeded, review="one_person") as desk:
        yield desk
        assert desk.disagreements() == []


def behind(desk: Desk, serial: int) -> str | None:
    """Return what a revision says of the people behind it."""
    found = desk.must(200, None, "GET", f"/v1/revisions/{serial}")["review"]
    return None if found is None else str(found)


def test_one_person_decides_on_their_own(alone: Desk) -> None:
    assert alone.must(200, None, "GET", "/v1")["review"] == "one_person"
    own = alone.propose("ben", "evidence")
    told = alone.accept("evidence", own, "ben")
    assert (told["proposed_by"], told["actor"], told["review"]) == ("ben", "ben", "one_person")
    assert behind(alone, told["serial"]) == "one_person"
    path = native("evidence", own)
    changed = alone.must(200, "ben", "PATCH", path, PATCHES["evidence"], If_Match=NOW)
    assert behind(alone, changed["serial"]) == "one_person"
    retracted = alone.retract("evidence", own, "ben")
    assert behind(alone, retracted["serial"]) == "one_person"
    refused = alone.propose("ben", "evidence")
    rejected = alone.decide("reject", "evidence", refused, "ben", "no")
    assert (rejected["state"], rejected["review"]) == ("rejected", "one_person")
    # A contributor still decides on nothing.
    theirs = alone.propose("anna", "evidence")
    accept = f"/v1/records/evidence/{theirs}:accept"
    alone.must(403, "anna", "POST", accept, {}, If_Match=NOW)


def test_a_second_person_counts_as_one_under_either_setting(alone: Desk) -> None:
    told = alone.accept("evidence", alone.propose("anna", "evidence"), "ben")
    assert told["review"] == "two_people"
    # What nobody proposed, and what follows by itself, say nothing of people.
    loaded = alone.must(200, "ben", "PATCH", "/v1/sources/doepp-2010", {"note": "x"}, If_Match=NOW)
    assert loaded["review"] is None
    page = alone.must(200, None, "GET", f"/v1/changes?since={loaded['serial']}&claim={CLAIM}")
    assert {(each["action"], each["review"]) for each in page["data"]} == {("derive", None)}


def test_two_people_are_told_the_way_out(desk: Desk) -> None:
    assert desk.must(200, None, "GET", "/v1")["review"] == "two_people"
    own = desk.propose("ben", "evidence")
    refused = desk.must(403, "ben", "POST", f"/v1/records/evidence/{own}:accept", {}, If_Match=NOW)
    assert "CLAIMBASE_REVIEW=one_person" in refused["detail"]


def test_what_is_withheld_says_nothing_of_people(alone: Desk) -> None:
    own = alone.propose("ben", "evidence")
    serial = alone.decide("reject", "evidence", own, "ben", "no")["serial"]
    assert behind(alone, serial) is None
    seen = alone.must(200, "cleo", "GET", f"/v1/revisions/{serial}")
    assert seen["review"] == "one_person"


def test_merging_and_undoing_one_s_own(alone: Desk) -> None:
    old = alone.propose("ben", "source")
    alone.accept("source", old, "ben")
    merged = alone.merge("source", old, "doepp-2010", "ben")
    assert merged["review"] == "one_person"
    assert alone.undo(merged["serial"], "ben") == [f"source/{old}"]
    assert alone.record("source", old)["review"] == "one_person"


def test_an_export_keeps_it_and_an_older_one_says_what_was_the_rule(
    alone: Desk, empty: Store
) -> None:
    alone.accept("evidence", alone.propose("ben", "evidence"), "ben")
    alone.accept("evidence", alone.propose("anna", "evidence"), "ben")
    content = exported(alone.store)
    load(empty, content)
    assert exported(empty) == content
    lines = records(content)
    decided = [line["review"] for line in lines if line.get("action") == "accept"]
    assert decided == ["one_person", "two_people"]


def test_an_export_of_an_earlier_program_is_read_by_its_rule(desk: Desk, empty: Store) -> None:
    desk.accept("evidence", desk.propose("anna", "evidence"), "ben")
    content = exported(desk.store)
    earlier = [
        {name: value for name, value in line.items() if name != "review"}
        for line in records(content)
    ]
    load(empty, as_lines(*earlier))
    assert exported(empty) == content


def test_what_a_proposer_declared_stands_beside_what_they_propose(desk: Desk) -> None:
    declared = {"conflict_of_interest": "Paid by Example Ltd."}
    line = desk.propose("anna", "evidence")
    path = f"/v1/records/evidence/{line}"
    assert desk.must(200, "cleo", "GET", path)["conflict_of_interest"] is None
    desk.must(200, "anna", "PATCH", "/v1/key", declared)
    (waiting,) = desk.must(200, "cleo", "GET", "/v1/reviews")["data"]
    assert waiting["conflict_of_interest"]["text"] == "Paid by Example Ltd."
    # While it waits, nobody else learns of it.
    desk.must(404, None, "GET", path)
    desk.accept("evidence", line)
    shown = desk.must(200, None, "GET", path)
    assert shown["conflict_of_interest"] == waiting["conflict_of_interest"]
    serial = shown["serial"]
    assert "Example Ltd." not in desk.ask("dora", "GET", f"/v1/revisions/{serial}").text
