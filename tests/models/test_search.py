"""A query finds the same in SQLite, in PostgreSQL, and by the plain definition of its meaning."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select, text, update

from models.database import full_text
from models.database.full_text import Query
from models.projection import rebuild
from models.read.search_results import suggest
from models.records.serializers import table
from models.search import index as search
from models.search import tokenizer
from models.search.index import ClaimSearch, claim_search
from models.search.query import parse_query
from models.search.synonyms import build_synonyms
from models.write import changes
from tests.databases import Store
from tests.models.exports import disagreements
from tests.records import a_claim, a_line, a_source, put_part
from tests.reference_search import ReferenceSearch

KNOWN = build_synonyms([["ms", "multiple sclerosis"], ["il-6", "interleukin 6"]], "here")
SLUGS = [f"c{number}" for number in range(6)]
WORDS = (
    *(
        "vein",
        "veins",
        "iron",
        "ms",
        "MS",
        "multiple",
        "sclerosis",
        "IL-6",
        "il",
        "6",
        "interleukin",
        "n6",
        "Sundström",
    ),
    *(
        "sundstrom",
        "TNF-α",
        "a",
        "or",
        "not",
        "NEAR",
        "and",
        "x1e5",
        "1e5",
        "3.14",
        "v1.2",
        "e@x.org",
        "http://x.y/z",
    ),
    *(
        "'",
        '"',
        "'s",
        "iro*",
        "follow-up",
        "followup",
        "TGFβ",
        "tgf-beta*",
        "😀",
        "多発",
        "\\",
        "%",
        ":*",
        "&",
        "|",
        "!",
        "<->",
        "0",
        "00",
        "nn6",
    ),
)
TEXTS = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join) | st.text(max_size=20)
QUERIES = st.lists(
    st.sampled_from([*WORDS, "-", "-vein", '"', '"iron vein"', '-"a b"', "or", "("]), max_size=6
)
RECORDS = st.lists(
    st.tuples(TEXTS, st.lists(TEXTS, max_size=3)), min_size=len(SLUGS), max_size=len(SLUGS)
)
ASKED = st.lists(QUERIES.map(" ".join) | TEXTS | st.sampled_from(WORDS), min_size=1, max_size=8)


def found(connection: Connection, query: Query) -> set[str]:
    """Return what the database finds; every score is a whole number."""
    asked = full_text.query_values(connection, query)
    scored = full_text.matches(connection, claim_search)
    rows = connection.execute(select(scored.c.claim, scored.c.score), asked).all()
    assert all(isinstance(score, int) for _, score in rows)
    assert len({record for record, _ in rows}) == len(rows)
    assert sorted(found_unscored(connection, query)) == sorted(record for record, _ in rows)
    return {record for record, _ in rows}


def found_unscored(
    connection: Connection, query: Query, *, labels_only: bool = False
) -> Sequence[str]:
    asked = full_text.query_values(connection, query, labels_only=labels_only)
    rows = full_text.unscored_matches(connection, claim_search, labels_only=labels_only)
    return connection.scalars(select(rows.c.claim), asked).all()


def fill_with(connection: Connection, records: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Put these texts in the place of whatever the claims were found by."""
    rows = []
    for slug, (title, texts) in zip(SLUGS, records, strict=True):
        head, body = tokenizer.index_text([title], texts)
        words = {"title": head, "words": body, "quotes": "", "label_words": [], "beginnings": []}
        rows.append({"claim": slug, **words})
    search.update_search_rows(connection, "claim", SLUGS, {claim_search.name: rows})


def with_claims(store: Store) -> None:
    with changes.begin(store.database, actor="ada") as change:
        for slug in SLUGS:
            changes.put_claim(change, a_claim(slug))


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("examples", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_every_database_finds_the_same_records(examples: int, empty: Store, other: Store) -> None:
    with_claims(empty)
    with_claims(other)
    hits = 0
    with empty.database.write() as one, other.database.write() as two:

        @given(RECORDS, ASKED)
        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        def holds(records: list[tuple[str, list[str]]], queries: list[str]) -> None:
            nonlocal hits
            for connection in (one, two):
                fill_with(connection, records)
            for typed in queries:
                query = parse_query(typed, KNOWN)
                meant = {
                    slug
                    for slug, record in zip(SLUGS, records, strict=True)
                    if ReferenceSearch([record[0]], record[1]).query(query)
                }
                assert found(one, query) == meant, typed
                assert found(two, query) == meant, typed
                of_labels = set(found_unscored(one, query, labels_only=True))
                assert of_labels == set(found_unscored(two, query, labels_only=True)), typed
                assert of_labels <= meant, typed
                hits += bool(meant)

        holds()
    # It would hold of an index that is always empty, too.
    assert hits


def test_long_texts_are_found_in_every_database(empty: Store) -> None:
    """What PostgreSQL cannot hold (places, places of one word, bytes) is left out on both."""
    with_claims(empty)
    many = " ".join(f"word{number}x{'y' * 60}" for number in range(20_000))
    records: list[tuple[str, list[str]]] = [
        ("many words", [many]),
        ("one word", ["vein " * 400 + "iron vein valve"]),
    ]
    records += [("iron", [])] * 4
    with empty.database.write() as connection:
        fill_with(connection, records)
        assert found(connection, parse_query(f"word7x{'y' * 60}", {})) == {"c0"}
        assert found(connection, parse_query(f"word19000x{'y' * 60}", {})) == set()
        # A phrase sees no more than 250 positions of a word; the word itself is found.
        assert found(connection, parse_query("vein valve", {})) == {"c1"}
        assert found(connection, parse_query('"iron vein"', {})) == set()
        assert found(connection, parse_query('"vein vein"', {})) == {"c1"}


@pytest.mark.parametrize(
    "typed",
    [
        " ".join(chr(0x3B1 + number % 24) + chr(0x430 + number // 24) for number in range(160)),
        " or ".join("abcdefghijklmnopqrstuvwxyz" * 6),
        "iron " + " ".join(f"-w{number}" for number in range(120)),
        '"' + "a " * 240 + '"',
        "ms " * 160,
        "multiple sclerosis or " * 22,
        " ".join(f"wor{chr(97 + number)}*" for number in range(26)),
    ],
)
def test_the_longest_queries_are_answered(typed: str, untouched: Store) -> None:
    with untouched.database.read() as connection:
        assert found(connection, parse_query(typed[:500], KNOWN)) == set()


def test_words_in_the_title_count_more(empty: Store) -> None:
    with_claims(empty)
    filler = "and then much else was said of other things that do not matter here"
    records: list[tuple[str, list[str]]] = [(filler, ["iron"]), ("iron", [filler])] + [
        (filler, [filler])
    ] * 4
    with empty.database.write() as connection:
        fill_with(connection, records)
        rows = full_text.matches(connection, claim_search)
        asked = full_text.query_values(connection, parse_query("iron", {}))
        ranked = connection.scalars(select(rows.c.claim).order_by(rows.c.score), asked).all()
    assert ranked == ["c1", "c0"]


def sought(store: Store, typed: str, kind: str = "claim") -> set[str]:
    """Return what a query finds among the claims or sources of a store."""
    rows = search.WORD_TABLES[kind]
    with store.database.read() as connection:
        found = full_text.matches(connection, rows)
        return set(
            connection.scalars(
                select(found.c[kind]),
                full_text.query_values(connection, parse_query(typed, {})),
            )
        )


def suggested(store: Store, typed: str) -> set[tuple[str, str]]:
    with store.database.read() as connection:
        return {
            (row["kind"], row["id"])
            for row in suggest(connection, typed, ("claim", "source", "topic"))
        }


def test_changes_are_searchable_at_once(empty: Store) -> None:
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_source(change, a_source(note="Zebra fish."))
        changes.put_claim(change, a_claim())
        put_part(change, "x-causes-y", a_line(finding="No giraffes."))
        changes.put_claim(change, a_claim("waits", statement="A giraffe waits.", state="submitted"))
        put_part(change, "x-causes-y", a_line("two", finding="Okapi.", state="submitted"))
    assert (
        sought(empty, "giraffe")
        == sought(empty, "smith")
        == sought(empty, '"a trial"')
        == {"x-causes-y"}
    )
    assert sought(empty, "okapi") == set()
    assert sought(empty, "zebra", "source") == {"smith-2020"}
    assert suggested(empty, "x cau") == {("claim", "x-causes-y")}
    assert suggested(empty, "smi") == suggested(empty, "tria") == {("source", "smith-2020")}
    assert suggested(empty, "giraffe") == set()
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_source(change, a_source(title="Of llamas"))
        put_part(change, "x-causes-y", a_line(finding="No giraffes.", state="retracted"))
        put_part(change, "x-causes-y", a_line("three", finding="Tapirs."))
        changes.put_claim(change, a_claim("waits", statement="A giraffe waits."))
    assert sought(empty, "giraffe") == {"waits"}
    assert sought(empty, "tapir llama") == {"x-causes-y"}
    assert sought(empty, "trial") == sought(empty, "zebra", "source") == set()
    assert sought(empty, "llama", "source") == {"smith-2020"}
    assert suggested(empty, "tria") == set()
    assert suggested(empty, "llam") == {("source", "smith-2020")}
    assert suggested(empty, "gir") == {("claim", "waits")}
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_claim(change, a_claim("waits", statement="A giraffe waits.", state="retracted"))
    assert sought(empty, "giraffe") == set()
    assert suggested(empty, "gir") == set()
    assert disagreements(empty) == []


def tokens_of_the_index(connection: Connection) -> set[str]:
    """Return every word that the index of claims still knows, as the database itself tells."""
    if connection.dialect.name == "sqlite":
        connection.execute(
            text(
                "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab (main, claim_search_index, "
                "row)"
            )
        )
        return set(connection.scalars(text("SELECT term FROM temp.vocabulary")))
    return set(
        connection.scalars(text("SELECT word FROM ts_stat('SELECT vector FROM claim_search')"))
    )


def test_retracted_records_leave_the_index(empty: Store) -> None:
    for statement in ("Secret Zebedee.", "Something else."):
        with changes.begin(empty.database, actor="ada") as change:
            changes.put_claim(change, a_claim(statement=statement))
        with empty.database.writer.connect() as connection:
            known = tokens_of_the_index(connection)
        assert ("zebede" in known) == ("Zebedee" in statement)


SPOILED: list[tuple[Any, str]] = [
    (
        lambda: (
            update(claim_search).where(claim_search.c.claim == "ccsvi-causes-ms").values(words="x")
        ),
        "claim ccsvi-causes-ms",
    ),
    (lambda: delete(table(search.SourceSearch)), "source doepp-2010"),
    (
        lambda: (
            update(search.beginning).where(search.beginning.c.record == "iron").values(text="x")
        ),
        "topic iron",
    ),
    (
        lambda: delete(search.beginning).where(search.beginning.c.kind == "claim"),
        "claim ccsvi-causes-ms",
    ),
    (
        lambda: (
            update(search.beginning).where(search.beginning.c.record == "iron").values(record="no")
        ),
        "rows of no, not",
    ),
    (
        lambda: delete(search.claim_word).where(search.claim_word.c.claim == "ccsvi-causes-ms"),
        "claim ccsvi-causes-ms",
    ),
    (
        lambda: delete(search.source_word).where(search.source_word.c.source == "doepp-2010"),
        "source doepp-2010",
    ),
    (
        lambda: insert(search.claim_word).values(claim="ccsvi-causes-ms", word="astray"),
        "claim_word has 1 rows too many",
    ),
    (
        lambda: insert(search.beginning).values(kind="source", record="doepp-2010", text="astray"),
        "beginning has 1 rows too many",
    ),
]


def test_check_reports_and_rebuild_repairs_the_index(seeded: Store) -> None:
    def found_by_iron() -> tuple[set[Any], ...]:
        return sought(seeded, "iron"), sought(seeded, "iron", "source"), suggested(seeded, "iron")

    before = found_by_iron()
    assert all(before)
    for spoil, told in SPOILED:
        with seeded.database.write() as connection:
            connection.execute(spoil())
        lines = disagreements(seeded)
        assert any(told in line for line in lines), lines
        with seeded.database.write() as connection:
            rebuild.rebuild(connection)
        assert found_by_iron() == before
    assert disagreements(seeded) == []


def test_check_reports_an_index_that_lost_rows(seeded: Store) -> None:
    with seeded.database.write() as connection:
        connection.execute(
            update(table(ClaimSearch)).values(number=table(ClaimSearch).c.number + 1000)
        )
    # On PostgreSQL the index is a column of the row, and nothing can be lost.
    lost = [line for line in disagreements(seeded) if "the index of claim_search" in line]
    assert len(lost) == (1 if seeded.url.startswith("sqlite") else 0)
