"""The summary of a claim beside its terms, so that a list or a count costs what it finds, however
large the store.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, create_engine, make_url, select, text

from models.projection import claim_loader, derive, tables
from models.projection import tables as tables_module
from models.read import facets as counting
from models.read import listings, search_results
from models.read.filters import bind_parameters
from models.records.serializers import Row, table
from models.status import claim_aggregate
from tests.databases import DATABASES, SEEDED_CLAIMS, Store, Templates, store_of
from tests.models.exports import as_lines, disagreements, load

SIZES = (300, 1200)
A_TOPIC = 20
LEVELS = ("1", "2", "3", "4", "5", "not_gradable")
DIRECTIONS = ("supports", "disputes", "inconclusive")


def records(number: int) -> Iterator[Row]:
    """Yield so many claims with three lines of evidence each, in topics of a few, whose name is a
    word of their statements.
    """
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
    """Yield stores of these sizes, in which PostgreSQL has counted its rows."""
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
    "SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class"
    " WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace"
)


def work(connection: Connection, read: Callable[[Connection], Any]) -> int:
    """Return how much a database does: on SQLite the steps that it takes, on PostgreSQL the rows
    that it visits.
    """
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
    return listings.read_page(
        connection, listings.CLAIMS, listings.claims_statement(), parameters, sort, None, 5
    )


def past_page(connection: Connection, parameters: Row, *sort: str) -> Any:
    return listings.read_page(
        connection,
        listings.CLAIMS_AS_OF,
        listings.claims_as_of_statement(),
        parameters,
        sort,
        None,
        5,
    )


def best_evidence(connection: Connection) -> Any:
    statement = listings.evidence_statement()
    return listings.read_page(
        connection, listings.EVIDENCE, statement, BEST, ("level", "-published"), None, 5
    )


def sought(connection: Connection, parameters: Row) -> Any:
    search = search_results.search(connection, "claim", "subject3", {}, None)
    found = search_results.search_listing(connection, listings.CLAIMS, "claim", search, ())
    return listings.read_page(
        connection, found, listings.claims_statement(), parameters, ("relevance",), None, 5
    )


TOPIC: Row = {"topic": ["topic-3"]}
DAY: Row = {"as_of": "2005-12-31"}
BEST: Row = {"level.lte": "2"}
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
    "the best and newest evidence": best_evidence,
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


def test_the_summary_says_what_a_claim_is_in_its_document_and_beside_each_term(
    seeded: Store,
) -> None:
    documents, terms = table(tables.ClaimDocument), table(tables.ClaimTerm)
    sets = {"levels": "evidence_level", "directions": "direction"}
    with seeded.database.read() as connection:
        found = connection.execute(select(documents)).mappings().all()
        assert len(found) == SEEDED_CLAIMS
        for claim in found:
            own = (
                connection.execute(select(terms).where(terms.c.claim == claim["claim"]))
                .mappings()
                .all()
            )
            for name, field in sets.items():
                values = [row["value"] for row in own if row["field"] == field]
                assert claim[name] == derive.encode_set(values)
            summary = {name: claim[name] for name in tables_module.SUMMARY}
            assert all(
                {name: row[name] for name in tables_module.SUMMARY} == summary for row in own
            )
            told = {row["field"] for row in own}
            assert {"topic", "asserted_by"} <= told
    with seeded.database.write() as connection:
        connection.execute(
            terms.update().where(terms.c.claim == "ccsvi-causes-ms").values(levels="")
        )
    assert disagreements(seeded) == [
        "claim_term of ccsvi-causes-ms does not agree with the tables; run claimbase rebuild"
    ]


def test_a_set_is_text_with_each_term_between_commas() -> None:
    assert derive.encode_set(["not_gradable", "2", "2", "1"]) == ",1,2,not_gradable,"
    assert derive.encode_set([]) == ""


def test_the_shape_of_a_statement_is_the_same_for_all_terms() -> None:
    one, other = (
        bind_parameters({"topic": ["x"], "evidence_level": some})
        for some in (["1", "2"], ["3", "not_gradable"])
    )
    assert one[0] == other[0]


FILTERS: list[Row] = [
    {},
    {"evidence_level": ["1"]},
    {"evidence_level": ["1", "not_gradable"]},
    {"evidence_level.lte": "2"},
    {"evidence_level.lte": "not_gradable"},
    {"direction": ["inconclusive"]},
    {"direction": ["supports"], "evidence_level.lte": "3"},
    {"direction": ["supports"], "status.ne": ["refuted"]},
    {"topic": ["topic-3"], "evidence_level": ["2", "4"]},
    {"topic": ["topic-3", "topic-4"], "direction": ["disputes"], "certainty": ["low"]},
    {"kind.ne": ["finding"], "asserted_by": ["team-1"]},
]


# The fields that lines of evidence have, and what they are called there.
OF_LINES = {
    "evidence_level": "level",
    "direction": "direction",
    "study_design": "study_design",
    "year": "year",
}


class Counted(NamedTuple):
    """A claim's lines of evidence, and its values in each field that claims are counted by."""

    evidence: Sequence[Row]
    values: dict[str, set[str]]


@pytest.fixture(scope="module")
def every_claim(stores: list[Store]) -> list[Counted]:
    """Give the claims of the first store, as they are loaded from the tables."""
    with stores[0].database.read() as connection:
        return [
            Counted(claim.evidence, {name: _values(claim, name) for name in counting.FACETS})
            for claim in claim_loader.load(connection, sorted(_slugs(connection)))
        ]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_counts_and_facets_are_those_of_the_claims_one_by_one(
    stores: list[Store], every_claim: list[Counted], filters: Row
) -> None:
    """Whatever index answers: the same as going through all claims, today and as of a day on which
    all was there.
    """
    claims = [each for each in every_claim if _meets(each, filters)]
    with stores[0].database.read() as connection:
        for listing, day in (
            (listings.CLAIMS, {}),
            (listings.CLAIMS_AS_OF, {"as_of": "2026-01-01"}),
        ):
            parameters = filters | day
            assert counting.count(connection, listing, parameters) == len(claims)
            total, found = counting.facets(connection, listing, parameters, counting.FACETS)
            assert total == len(claims)
            for name in counting.FACETS:
                counted = [_counted_values(each, name, filters) for each in claims]
                wanted = Counter(value for values in counted for value in values)
                shown = {row["term"]: row["count"] for row in found[name]["terms"]}
                assert shown.items() <= wanted.items()
                assert sum(shown.values()) + found[name]["other"] == wanted.total()
                assert found[name]["missing"] == sum(not values for values in counted)


def _slugs(connection: Connection) -> list[str]:
    return list(connection.scalars(select(listings.document.c.claim)))


def _values(claim: claim_aggregate.ClaimAggregate, name: str) -> set[str]:
    """Return what a claim has in a field that claims are counted by."""
    core = claim_aggregate.core(claim)
    if name in OF_LINES:
        values = (row[OF_LINES[name]] for row in claim.evidence)
        return {str(value) for value in values if value is not None}
    if name == "single_group":
        return {"true" if core.counts.groups_supporting == 1 else "false"}
    if name == "topic":
        return set(core.topics)
    if name == "asserted_by":
        return set(core.asserted_by)
    value = getattr(core, name)
    return set() if value is None else {value}


def _meets(claim: Counted, filters: Row) -> bool:
    """Return whether a claim meets all filters, and one of its lines all those on lines."""
    own = {
        name: wanted for name, wanted in filters.items() if name.partition(".")[0] not in OF_LINES
    }
    if not all(_holds(claim.values[_field(name)], name, wanted) for name, wanted in own.items()):
        return False
    return own == filters or bool(_meant_lines(claim, filters))


def _field(name: str) -> str:
    return name.partition(".")[0]


def _meant_lines(claim: Counted, filters: Row) -> list[Row]:
    """Return the lines of a claim that meet all filters on lines."""
    on_lines = {name: wanted for name, wanted in filters.items() if _field(name) in OF_LINES}
    return [
        row
        for row in claim.evidence
        if all(_holds({row[OF_LINES[_field(name)]]}, name, on_lines[name]) for name in on_lines)
    ]


def _holds(values: set[str], name: str, wanted: Any) -> bool:
    operator = name.partition(".")[2]
    if operator == "lte":
        return any(each <= wanted for each in values)
    return values.isdisjoint(wanted) if operator == "ne" else not values.isdisjoint(wanted)


def _counted_values(claim: Counted, name: str, filters: Row) -> set[str]:
    """Return the values by which a claim is counted: of its lines, only of those that are meant."""
    if name not in OF_LINES:
        return claim.values[name]
    values = (row[OF_LINES[name]] for row in _meant_lines(claim, filters))
    return {str(value) for value in values if value is not None}
