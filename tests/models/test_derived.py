"""What follows from a claim's evidence: declared and computed in one place, stored for each day,
and said once.
"""

from typing import Any

import pytest
from pydantic_core import from_json
from sqlalchemy import select

from models.projection import claim_loader, compare, documents, rebuild, tables
from models.read import listings
from models.records.claim import ClaimIn
from models.records.serializers import Row, table
from models.status import claim_aggregate
from models.write import changes
from tests.databases import SEEDED_CLAIMS, Store
from tests.models.exports import disagreements, exported, records
from tests.records import a_claim, a_line, a_source, put_part

CAUSAL = "ccsvi-causes-ms"


class Wider(claim_aggregate.Derived, frozen=True):
    """With one field more."""

    lines_on_record: int


class WiderOut(claim_aggregate.ClaimStamps, Wider, ClaimIn):
    """A claim as a list would give it then."""


def add_a_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what somebody does who declares a field in `Derived` and computes it in `derived_on`."""
    usual = claim_aggregate.derived_on

    def derived_on(day: str, since: Any, tally: Any, published: Any) -> Wider:
        found = usual(day, since, tally, published)
        return Wider(**dict(found), lines_on_record=len(published.evidence))

    monkeypatch.setattr(claim_aggregate, "derived_on", derived_on)
    monkeypatch.setattr(claim_aggregate, "ClaimOut", WiderOut)
    monkeypatch.setattr(rebuild, "DERIVATION", "wider")


def rebuilt(store: Store) -> None:
    with store.database.write() as connection:
        rebuild.rebuild(connection)


def test_a_field_that_is_declared_and_computed_is_stored_served_and_exported(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_a_field(monkeypatch)
    rebuilt(seeded)
    assert disagreements(seeded) == []
    with seeded.database.read() as connection:
        row = listings.read_claim(connection, CAUSAL, ())
        core = from_json(documents.claim_json(row))
        (claim,) = claim_loader.load(connection, [CAUSAL])
        assert core == claim_aggregate.core(claim).model_dump()
        days = _on_each_day(connection)
        then = _listed(connection, "2009-12-31")
        assert (
            then["lines_on_record"]
            == claim_aggregate.core(claim_aggregate.as_of(claim, "2009-12-31")).model_dump()[
                "lines_on_record"
            ]
        )
    names = list(core)
    assert (
        names.index("notices") + 1 == names.index("lines_on_record") == names.index("revision") - 1
    )
    assert core["lines_on_record"] == days[-1] > then["lines_on_record"] > days[0] > 0
    assert then["lines_on_record"] in days
    (line,) = (each for each in records(exported(seeded)) if each.get("id") == CAUSAL)
    assert line["lines_on_record"] == core["lines_on_record"]


def _on_each_day(connection: Any) -> list[int]:
    period = table(tables.StatusPeriod)
    mine = select(period.c.derived).where(period.c.claim == CAUSAL).order_by(period.c.starts)
    return [from_json(derived)["lines_on_record"] for derived in connection.scalars(mine)]


def _listed(connection: Any, day: str) -> Row:
    """Return the claim as a list as of a day has it."""
    statement = listings.claims_as_of_statement()
    rows, _ = listings.read_page(
        connection, listings.CLAIMS_AS_OF, statement, {"as_of": day}, (), None, 100
    )
    (found,) = (row for row in rows if row["claim"] == CAUSAL)
    core: Row = from_json(documents.claim_json(found))
    return core


def test_check_sees_a_document_that_says_a_thing_twice(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A derived field that stands among those that do not change as well: all agrees with what the
    program derives.
    """
    usual = claim_aggregate.fields
    monkeypatch.setattr(
        claim_aggregate, "fields", lambda claim: {**usual(claim), "status": "refuted"}
    )
    rebuilt(seeded)
    found = disagreements(seeded)
    assert len(found) == SEEDED_CLAIMS
    assert all("has a member twice" in each for each in found)


@pytest.mark.parametrize(
    ("content", "twice"),
    [
        (b'{"a":1,"b":2}', False),
        (b'{"a":1,"b":2,"a":1}', True),
        (b'{"a":[{"b":1,"b":1}]}', True),
        (b'{"a":[{"b":1},{"b":1}]}', False),
        ('{"a":"\\"b\\":1 \u00e9 \\n"}'.encode(), False),
    ],
)
def test_a_member_that_stands_twice(content: bytes, twice: bool) -> None:
    assert compare.has_duplicate_members(content) is twice


def test_each_day_s_value_is_stored_whole(shared: Store) -> None:
    """What is stored for a day are all members that lists serve of it."""
    period = table(tables.StatusPeriod)
    with shared.database.read() as connection:
        stored = connection.execute(select(period.c.derived, period.c.status, period.c.rule)).all()
    assert len(stored) > 60
    for derived, status, rule in stored:
        value = claim_aggregate.Derived.model_validate_json(derived)
        assert (value.status, value.status_rule) == (status, rule)
        assert list(from_json(derived)) == list(claim_aggregate.Derived.model_fields)


NO_SIDE: Row = {"direction": "inconclusive"}
SEARCHED: Row = {**NO_SIDE, "searched_found_none": True}
DIFFER: Row = {**NO_SIDE, "graded_down": ["inconsistency", "quality"]}
# The lines on a claim, why it is unassessed, and on which sides its evidence stands.
CASES: dict[str, tuple[list[Row], str | None, str]] = {
    "nothing": ([], "nothing_recorded", "none"),
    "searched": ([SEARCHED], "searched_found_none", "none"),
    "undecided": ([NO_SIDE, SEARCHED], "only_inconclusive", "none"),
    "differing": ([DIFFER, NO_SIDE, SEARCHED], "inconsistent", "none"),
    "liked": ([{"direction": "supports"}, DIFFER], None, "for"),
    "disliked": ([{}, SEARCHED], None, "against"),
    "torn": (
        [{"source": "new", "independence_group": "n", "direction": "supports"}, {}],
        None,
        "both",
    ),
    "gone": ([{"source": "retracted"}], "nothing_recorded", "none"),
    "later": ([NO_SIDE, {"source": "new", "independence_group": "n"}], None, "against"),
}


def store_cases(empty: Store) -> None:
    with changes.begin(empty.database, actor="ada") as change:
        for source in (
            a_source(),
            a_source("new", issued="2024"),
            a_source("retracted", integrity="retracted", integrity_note="So."),
        ):
            changes.put_source(change, source)
        for slug, (lines, _, _) in CASES.items():
            changes.put_claim(change, a_claim(slug))
            for number, fields in enumerate(lines):
                put_part(change, slug, a_line(f"line-{number}", **fields))


def test_why_a_claim_is_unassessed_and_which_way_its_evidence_leans(empty: Store) -> None:
    store_cases(empty)
    wanted = {slug: (reason, leaning) for slug, (_, reason, leaning) in CASES.items()}
    assert _of_each(empty, {}) == wanted
    assert disagreements(empty) == []
    # A claim that no document states is there from its first line, on whichever side that is.
    spoken_of = {slug: wanted[slug] for slug in CASES.keys() - {"nothing", "gone"}}
    then = {"later": ("only_inconclusive", "none"), "torn": (None, "against")}
    assert _of_each(empty, {"as_of": "2021-12-31"}) == {**spoken_of, **then}
    assert _of_each(empty, {"as_of": "2020-12-30"}) == {}


FOUND: list[tuple[Row, set[str]]] = [
    ({"unassessed_because": ["nothing_recorded"]}, {"nothing", "gone"}),
    ({"unassessed_because": ["inconsistent", "only_inconclusive"]}, {"differing", "undecided"}),
    ({"searched_found_none": True}, {"searched", "undecided", "differing"}),
    ({"leaning": ["both", "for"]}, {"torn", "liked"}),
    ({"leaning": ["against"], "as_of": "2021-12-31"}, {"disliked", "torn"}),
    (
        {"leaning": ["none"], "status": ["unassessed"], "as_of": "2021-12-31"},
        {"searched", "undecided", "differing", "later"},
    ),
    (
        {"unassessed_because": ["only_inconclusive"], "as_of": "2021-12-31"},
        {"undecided", "later"},
    ),
    (
        {"searched_found_none": False, "as_of": "2021-12-31"},
        {"liked", "disliked", "torn", "later"},
    ),
]


def test_claims_are_found_by_both(empty: Store) -> None:
    store_cases(empty)
    for filters, found in FOUND:
        assert set(_of_each(empty, filters)) == found, filters


def _of_each(store: Store, filters: Row) -> dict[str, tuple[str | None, str]]:
    """Return of each claim that meets filters why it is unassessed, and its leaning."""
    past = "as_of" in filters
    listing = listings.CLAIMS_AS_OF if past else listings.CLAIMS
    statement = listings.claims_as_of_statement() if past else listings.claims_statement()
    with store.database.read() as connection:
        rows, _ = listings.read_page(connection, listing, statement, filters, (), None, 100)
        told = [from_json(documents.claim_json(row)) for row in rows]
    return {claim["id"]: (claim["unassessed_because"], claim["leaning"]) for claim in told}
