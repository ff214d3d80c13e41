"""Imported citations are compared with what is stored by a few statements for many of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from models.transfer import citation_matching
from models.transfer.citation_matching import BATCH, MOST_FAULTS, Outcome
from models.write import changes
from tests.databases import Store, noted_statements


def record(number: int, **fields: Any) -> tuple[int, dict[str, Any], tuple[str, ...]]:
    """Return an imported record of its own."""
    plain = {
        "type": "article-journal",
        "study_design": "not_recorded",
        "title": f"Title {number}",
        "authors": [{"family": f"Family{number % 7}", "given": "A"}],
        "issued": str(1990 + number % 5),
        "identifiers": [
            {"scheme": "doi", "value": f"10.1000/{number}", "verification": "unverified"}
        ],
    }
    return number, {**plain, **fields}, ()


def reconciled(store: Store, records: Any, *, proposed: bool = True) -> list[Outcome]:
    with store.database.read() as connection:
        return list(citation_matching.reconcile(connection, records, proposed=proposed))


@pytest.fixture
def statements(seeded: Store) -> Iterator[list[str]]:
    """Give the statements that are run in the database of the test."""
    with noted_statements(seeded) as run:
        yield run


def test_statements_are_by_the_batch(seeded: Store, statements: list[str]) -> None:
    counts = []
    for number in (1, BATCH, 3 * BATCH):
        statements.clear()
        outcomes = reconciled(seeded, map(record, range(number)))
        assert [outcome.outcome for outcome in outcomes] == ["new"] * number
        counts.append(len(statements))
    one, batch, three = counts
    assert 2 <= one <= batch <= one + 3
    assert three <= 3 * batch


def test_what_was_stored_is_matched_by_identifier_and_by_words(seeded: Store) -> None:
    records = [record(number) for number in range(BATCH + 20)]
    with changes.begin(seeded.database, actor="test") as change:
        outcomes = list(
            citation_matching.reconcile(change.connection, iter(records), proposed=True)
        )
        assert citation_matching.store_new(change, outcomes) == len(records)
    slugs = [outcome.id for outcome in outcomes]
    assert len(set(slugs)) == len(records)
    assert slugs[:2] == ["family0-1990", "family1-1991"]
    without: dict[str, Any] = {"identifiers": []}
    for fields, matched_by in ((dict[str, Any](), "doi"), (without, citation_matching.BY_TITLE)):
        again = reconciled(seeded, [record(number, **fields) for number in range(len(records))])
        assert [outcome.id for outcome in again] == slugs
        assert {outcome.matched_by for outcome in again} == {matched_by}
        assert [outcome for outcome in again if outcome.differences] == []
    # Ids go on after those that are used.
    (new,) = reconciled(
        seeded, [record(0, title="Another", identifiers=[], issued="1990")], proposed=False
    )
    assert (
        new.id == f"family0-1990-{1 + sum(str(slug).startswith('family0-1990') for slug in slugs)}"
    )


def test_without_an_author_or_a_year_only_the_same_is_matched(empty: Store) -> None:
    lacking: list[dict[str, Any]] = [
        {"authors": []},
        {"issued": None},
        {"authors": [], "issued": None},
        {},
    ]
    records = [record(1, identifiers=[], **fields) for fields in lacking]
    with changes.begin(empty.database, actor="test") as change:
        outcomes = list(citation_matching.reconcile(change.connection, records, proposed=True))
        assert [outcome.outcome for outcome in outcomes] == ["new"] * 4
        citation_matching.store_new(change, outcomes)
    again = reconciled(empty, records)
    assert [outcome.id for outcome in again] == [outcome.id for outcome in outcomes]
    assert [outcome.id for outcome in outcomes] == [
        "title-1-1991",
        "family1",
        "title-1",
        "family1-1991",
    ]


def test_the_faults_that_are_told_are_bounded(empty: Store) -> None:
    nameless = [{"given": "A"}] * 1000
    (outcome,) = reconciled(empty, [record(1, authors=nameless)])
    assert outcome.outcome == "reported"
    assert len(outcome.faults) == MOST_FAULTS + 1
    assert (
        outcome.faults[-1].detail
        == f"{1000 - MOST_FAULTS} more faults of this record are not listed."
    )


def outcomes_of(store: Store, *records: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Import records into a store, and return what became of each and by what it was matched."""
    numbered = (record(number, **fields) for number, fields in enumerate(records))
    with changes.begin(store.database, actor="test") as change:
        found = list(citation_matching.reconcile(change.connection, numbered, proposed=True))
        citation_matching.store_new(change, found)
    return [(outcome.outcome, outcome.matched_by) for outcome in found]


def works(**ids: str) -> dict[str, Any]:
    return {
        "identifiers": [
            {"scheme": scheme, "value": value, "verification": "unverified"}
            for scheme, value in ids.items()
        ]
    }


ISBN = "9780131103627"
SAME: dict[str, Any] = {
    "title": "Editorial", "authors": [{"family": "Doe", "given": "J"}], "issued": "2012",
}  # fmt: skip
# Two records, and what becomes of the second, in one file and over two.
PAIRS: list[tuple[str, dict[str, Any], dict[str, Any], tuple[str, str | None]]] = [
    (
        "chapters of one book",
        {"type": "chapter", "title": "First", **works(isbn=ISBN)},
        {"type": "chapter", "title": "Second", **works(isbn=ISBN)},
        ("new", None),
    ),
    (
        "one book",
        works(isbn=ISBN) | {"title": "A"},
        works(isbn=ISBN) | {"title": "A."},
        ("matched", "isbn"),
    ),
    (
        "two books",
        works(isbn=ISBN) | {"title": "A"},
        works(isbn=ISBN) | {"title": "B"},
        ("new", None),
    ),
    (
        "a column, by its DOI",
        {**SAME, **works(doi="10.1234/ed.1")},
        {**SAME, **works(doi="10.1234/ed.2")},
        ("new", None),
    ),
    (
        "a column, by issue",
        {**SAME, **works(), "issue": "1"},
        {**SAME, **works(), "issue": "2"},
        ("new", None),
    ),
    (
        "a column, by page",
        {**SAME, **works(), "page": "1"},
        {**SAME, **works(), "page": "65-6"},
        ("new", None),
    ),
    (
        "one page, written twice",
        {**SAME, **works(), "page": "65"},
        {**SAME, **works(doi="10.1234/2"), "page": "65-66"},
        ("matched", citation_matching.BY_TITLE),
    ),
    (
        "a PMID of another work",
        {"title": "A", **works(pmid="1", doi="10.1234/a")},
        {"title": "B", **works(pmid="1", doi="10.1234/b")},
        ("new", None),
    ),
    (
        "a title that was corrected",
        {"title": "A", **works(pmid="1")},
        {"title": "B", **works(pmid="1")},
        ("matched", "pmid"),
    ),
    (
        "a name in other letters",
        {**SAME, **works(), "authors": [{"family": "Sørensen", "given": "O"}]},
        {**SAME, **works(), "authors": [{"family": "Sorensen", "given": "O"}]},
        ("matched", citation_matching.BY_TITLE),
    ),
    (
        "an apostrophe of another kind",
        {**SAME, **works(), "authors": [{"family": "O’Brien", "given": "S"}]},
        {**SAME, **works(), "authors": [{"family": "O'Brien", "given": "S"}]},
        ("matched", citation_matching.BY_TITLE),
    ),
]


@pytest.mark.parametrize(
    ("first", "second", "expected"), [case[1:] for case in PAIRS], ids=[case[0] for case in PAIRS]
)
def test_a_match_loses_no_work(
    empty: Store, first: dict[str, Any], second: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    # In one file nothing is stored before the second, and the files are the first alone and both.
    with empty.database.read() as connection:
        both = [record(0, **first), record(1, **second)]
        _, outcome = citation_matching.reconcile(connection, both, proposed=True)
    assert (outcome.outcome, outcome.matched_by) == expected
    assert outcomes_of(empty, first) == [("new", None)]
    assert outcomes_of(empty, second) == [expected]


def test_slugs_have_no_letters_left_out(empty: Store) -> None:
    names = ("Sørensen", "O’Brien", "Łukasz", "Đorđević")
    records = [record(n, authors=[{"family": name}], issued="2012") for n, name in enumerate(names)]
    assert [outcome.id for outcome in reconciled(empty, records)] == [
        *("sorensen-2012", "obrien-2012", "lukasz-2012", "dordevic-2012")
    ]


def test_a_notice_that_is_not_recorded_is_told_first(empty: Store) -> None:
    known = {**SAME, **works(pmid="39000001")}
    assert outcomes_of(empty, known) == [("new", None)]
    retracted = {
        **known,
        "volume": "208",
        "integrity": "retracted",
        "integrity_date": "2016-03",
        "integrity_note": "Retraction in: Z. 2016 Mar;246:385.",
    }
    (outcome,) = reconciled(empty, [record(1, **retracted)])
    assert [each.field for each in outcome.differences] == [
        *("integrity", "integrity_date", "integrity_note", "volume")
    ]
    (same,) = reconciled(empty, [record(1, **known)])
    assert same.differences == []
