"""Traits: one number tells what a claim is, so that a list or a count costs what it finds, however large the store."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, make_url, select, text

from models.projection import tables, traits
from models.read import facets as counting
from models.read import listings, search_results
from models.read.filters import bound
from models.records.serializers import Row, table
from models.search.query import parse_query
from tests.databases import DATABASES, Store, Templates, store_of
from tests.models.exports import as_lines, disagreements, load

SIZES = (600, 2400)
A_TOPIC = 20
LEVELS = ("1", "2", "3", "4", "5", "not_gradable")
DIRECTIONS = ("supports", "disputes", "inconclusive")


def records(number: int) -> Iterator[Row]:
    """Yield so many claims with three lines of evidence each, in topics of a few, whose name is a word of their statements."""
    for place in range(number // A_TOPIC):
        yield {
            "record": "topic",
            "id": f"topic-{place}",
            "label": f"Topic {place}",
            "definition": "A subject.",
        }
    for place in range(10):
        yield {
            "record": "source",
            "id": f"source-{place}",
            "type": "article-journal",
            "title": f"Work {place}",
            "issued": str(2000 + place),
            "study_design": "cohort",
        }
    for place in range(number):
        # Of a topic's claims no two are alike; those of all topics are.
        own, topic = place // (number // A_TOPIC), place % (number // A_TOPIC)
        lines = [
            {
                "key": f"line-{each}",
                "source": f"source-{(own + each) % 10}",
                "direction": DIRECTIONS[(own * (each + 1)) % 3],
                "level": LEVELS[(own + each * each) % 6],
                "study_design": "cohort",
                "question": "treatment_benefit",
                "finding": "It did.",
                "independence_group": f"group-{own + each}",
            }
            for each in range(3)
        ]
        yield {
            "record": "claim",
            "id": f"claim-{own:02}-{topic}",
            "statement": f"Claim {own} is about subject{topic}.",
            "kind": ("mechanism", "finding", "definition")[own % 3],
            "topics": [f"topic-{topic}"],
            "occurrences": [
                {
                    "key": "stated",
                    "source": f"source-{own % 10}",
                    "quote": "So.",
                    "asserted_by": [f"team-{own % 4}"],
                }
            ],
            "evidence": [
                {
                    name: value
                    for name, value in line.items()
                    if name != "question" or line["level"] != "not_gradable"
                }
                for line in lines
            ],
        }


@pytest.fixture(scope="module", params=DATABASES)
def stores(request: pytest.FixtureRequest, templates: Templates) -> Iterator[list[Store]]:
    """Give stores of these sizes, as they are after a while: PostgreSQL has counted what there is."""
    made = [store_of(templates, request.param, seeded=False) for _ in SIZES]
    found = [next(each) for each in made]
    for store, size in zip(found, SIZES, strict=True):
        assert load(store, as_lines(*records(size)))[1] == []
        if request.param == "postgresql":
            address = make_url(store.url).set(drivername="postgresql+psycopg")
            engine = create_engine(address, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text("VACUUM ANALYZE"))
            engine.dispose()
    yield found
    for each in made:
        next(each, None)


ROWS_VISITED = text(
    "SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace"
)


def work(connection: Connection, read: Callable[[Connection], Any]) -> int:
    """Return how much a database does: on SQLite the steps that it takes, on PostgreSQL the rows that it visits."""
    if connection.dialect.name == "postgresql":
        before = connection.scalar(ROWS_VISITED)
        read(connection)
        return int(connection.scalar(ROWS_VISITED) - before)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(step, 1)
    read(connection)
    driver.set_progress_handler(None, 1)
    return steps


def facets(connection: Connection, parameters: Row, by: tuple[str, ...] = ("status",)) -> Any:
    return counting.facets(connection, listings.CLAIMS, parameters, by)


def page(connection: Connection, parameters: Row, *sort: str) -> Any:
    return listings.page(
        connection, listings.CLAIMS, listings.claims_statement(), parameters, sort, None, 5
    )


def past_page(connection: Connection, parameters: Row, *sort: str) -> Any:
    return listings.page(
        connection,
        listings.CLAIMS_AS_OF,
        listings.claims_as_of_statement(),
        parameters,
        sort,
        None,
        5,
    )


def sought(connection: Connection, parameters: Row) -> Any:
    found = search_results.search_listing(
        connection, listings.CLAIMS, "claim", parse_query("subject3", {})
    )
    return listings.page(
        connection, found, listings.claims_statement(), parameters, ("relevance",), None, 5
    )


TOPIC: Row = {"topic": ["topic-3"]}
DAY: Row = {"as_of": "2005-12-31"}
BOTH: Row = {"topic": ["topic-3", "topic-4"]}
SOME: Row = {"evidence_level": ["2", "4"]}
READS: dict[str, Callable[[Connection], Any]] = {
    "facets of a topic and levels": lambda at: facets(at, TOPIC | SOME),
    "all facets of a topic": lambda at: facets(at, TOPIC, counting.FACETS),
    "facets of a topic, the levels and side of one line": lambda at: facets(
        at, TOPIC | SOME | {"direction": ["supports"]}
    ),
    "count of a topic, a kind and who said so": lambda at: counting.count(
        at, listings.CLAIMS, TOPIC | {"kind": ["finding"], "asserted_by": ["team-1", "team-2"]}
    ),
    "facets of two topics and levels": lambda at: facets(at, BOTH | SOME),
    "a page of two topics and levels": lambda at: page(at, BOTH | SOME),
    "a page of a topic and levels": lambda at: page(at, TOPIC | SOME),
    "a page of a topic and levels, sorted": lambda at: page(at, TOPIC | SOME, "-evidence_count"),
    "a page of a topic, the levels and side of one line": lambda at: page(
        at, TOPIC | SOME | {"direction": ["supports"]}
    ),
    "facets of a topic as of a day": lambda at: counting.facets(
        at, listings.CLAIMS_AS_OF, TOPIC | DAY, ("status", "evidence_level")
    ),
    "a page of a topic as of a day": lambda at: past_page(at, TOPIC | DAY),
    "a page of two topics as of a day, sorted": lambda at: past_page(
        at, BOTH | DAY, "-evidence_count"
    ),
    "a page of a search and levels": lambda at: sought(at, SOME),
    "a page of a search, a topic and levels": lambda at: sought(at, TOPIC | SOME),
}


@pytest.mark.parametrize("read", READS)
def test_what_is_read_of_a_topic_takes_no_more_work_in_a_larger_store(
    read: str, stores: list[Store]
) -> None:
    took = []
    for store in stores:
        with store.database.read() as connection:
            READS[read](connection)
            took.append(work(connection, READS[read]))
    # Not quite the same on either: a tree of more levels takes a step more.
    assert 0 < took[1] <= 1.3 * took[0], took


def test_work_tells_a_walk_through_everything(stores: list[Store]) -> None:
    took = []
    for store in stores:
        with store.database.read() as connection:
            took.append(work(connection, lambda at: facets(at, SOME)))
    assert took[1] > 3 * took[0]


def test_traits_say_what_the_claim_is_in_its_document_and_beside_each_term(seeded: Store) -> None:
    documents, terms = table(tables.ClaimDocument), table(tables.ClaimTerm)
    with seeded.database.read() as connection:
        found = connection.execute(select(documents)).mappings().all()
        assert len(found) == 21
        for claim in found:
            own = (
                connection.execute(select(terms).where(terms.c.claim == claim["claim"]))
                .mappings()
                .all()
            )
            wanted = {(name, claim[name]) for name in ("status", "kind", "certainty")} - {
                ("certainty", None)
            }
            wanted |= {
                (row["field"], row["value"])
                for row in own
                if row["field"] in ("evidence_level", "direction")
            }
            wanted |= {
                (row["field"], traits.ANY)
                for row in own
                if row["field"] in ("topic", "asserted_by")
            }
            assert {pair for pair, bit in traits.BITS.items() if claim["traits"] & bit} == wanted
            assert {row["traits"] for row in own} == {claim["traits"]}
    with seeded.database.write() as connection:
        connection.execute(
            terms.update().where(terms.c.claim == "ccsvi-causes-ms").values(traits=0)
        )
    assert disagreements(seeded) == [
        "claim_term of ccsvi-causes-ms does not agree with the tables; run claimbase rebuild"
    ]


def test_stored_numbers_are_read_as_they_were_written() -> None:
    # Where this fails, a term has another bit than in stores that exist: raise `rebuild.DERIVATION`, then this number.
    assert zlib.crc32(repr(traits.BITS).encode()) == 1336909856
    assert max(traits.BITS.values()) < 2**63


def test_the_shape_of_a_statement_is_the_same_for_all_terms() -> None:
    one, other = (
        bound({"topic": ["x"], "evidence_level": some})
        for some in (["1", "2"], ["3", "not_gradable"])
    )
    assert one[0] == other[0]
    assert one[2]["given_evidence_level_bits"] == traits.number(
        [("evidence_level", "1"), ("evidence_level", "2")]
    )
    wanted = traits.number([("evidence_level", "1"), ("evidence_level", "2")])
    assert bound({"evidence_level.lte": "2"})[2]["given_evidence_level_lte_bits"] == wanted
