"""Topics: their claims, how statuses ran over the years, and the evidence matrix."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic_core import from_json
from sqlalchemy import Connection, select

from api.http.read_connection import ThreadReader
from api.site import stacked_years
from api.site.lists import claim_of
from api.site.pages import PageRoute, page
from models.core import vocabularies as v
from models.core.dates import now
from models.core.types import Text
from models.read import facets, listings
from models.read.listings import topic
from models.records.claim import TopicOut
from models.records.serializers import Row, columns_of, sources_by_id
from models.status.matrix import matrix_row

router = APIRouter(route_class=PageRoute, include_in_schema=False)

TOPICS_SHOWN = 250
CLAIMS_OF_TOPIC = 50
# As many claims as a table can show in 100 kB.
CLAIMS_IN_MATRIX = 15
TopicSlug = Annotated[Text, Path(max_length=200)]


@router.get("/topics")
def show_topics(request: Request, connection: ThreadReader) -> Response:
    """Show all topics with the number of their claims."""
    rows = connection.execute(
        select(topic).where(topic.c.state == "accepted").order_by(topic.c.id).limit(TOPICS_SHOWN)
    ).mappings()
    _, counted = facets.facets(connection, listings.CLAIMS, {}, ("topic",))
    numbers = {term["term"]: term["count"] for term in counted["topic"]["terms"]}
    return page(
        request,
        "topics.html",
        title="Topics",
        json_address="/v1/topics",
        topics=[{**dict(row), "number": numbers.get(row["id"])} for row in rows],
    )


@router.get("/topics/{topic}")
def show_topic(request: Request, connection: ThreadReader, topic: TopicSlug) -> Response:
    """Show a topic: its claims by status over the years, and as they stand."""
    found = columns_of(listings.read_topic(connection, topic), TopicOut)
    rows, has_more = _claims_of(connection, topic, CLAIMS_OF_TOPIC)
    history = facets.status_history(connection, [topic], int(now()[:4]))
    return page(
        request,
        "topic.html",
        title=found["label"],
        description=found["definition"] or "",
        json_address=f"/v1/topics/{topic}",
        feed=f"/changes.atom?topic={topic}",
        topic=found,
        claims=[claim_of(row) for row in rows],
        has_more=has_more,
        picture=stacked_years.stack(history),
        history=history,
        statuses=v.STATUSES.terms,
    )


@router.get("/topics/{topic}/matrix")
def show_matrix(request: Request, connection: ThreadReader, topic: TopicSlug) -> Response:
    """Show what each source says of each claim of a topic, with side and rank."""
    found = columns_of(listings.read_topic(connection, topic), TopicOut)
    rows, has_more = _claims_of(
        connection, topic, CLAIMS_IN_MATRIX, ("evidence",), ("-evidence_count",)
    )
    claims = [matrix_row(claim_of(row), from_json(row["evidence"]), None) for row in rows]
    named = {cell.source for claim in claims for cell in claim.cells}
    sources = sources_by_id(connection, sorted(named))
    order = sorted(named, key=lambda slug: (sources[slug]["published"], slug))
    cells = {(claim.claim, cell.source): cell for claim in claims for cell in reversed(claim.cells)}
    return page(
        request,
        "matrix.html",
        title=f"Evidence on {found['label']}",
        json_address=f"/v1/matrix?topic={topic}",
        topic=found,
        claims=claims,
        sources=[sources[slug] for slug in order],
        cells=cells,
        has_more=has_more,
    )


def _claims_of(
    connection: Connection,
    topic: str,
    limit: int,
    parts: tuple[str, ...] = (),
    sort: tuple[str, ...] = (),
) -> tuple[list[Row], bool]:
    """Return the documents of the first claims of a topic, and whether there are more."""
    rows, mark = listings.read_page(
        connection,
        listings.CLAIMS,
        listings.claims_statement(parts),
        {"topic": [topic]},
        sort,
        None,
        limit,
    )
    return rows, mark is not None
