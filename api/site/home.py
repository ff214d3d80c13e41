"""The first page: what this is, and where to begin."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, func, select

from api.http import pagination
from api.http.negotiation import json_accepted, negotiate
from api.http.read_connection import ThreadReader
from api.routes import index
from api.site.pages import HTML, LinkRoute, not_modified, page, page_tag
from models.core import vocabularies as v
from models.core.dates import now
from models.read import facets, listings
from models.read.listings import source, term
from models.read.stated_in import Standing, standing_on, standings
from models.records.serializers import Row, sources_by_id

router = APIRouter(route_class=LinkRoute, include_in_schema=False)

MOST_ARTICLES = 8
# A year in which much that is believed today was open, or the other way round.
LOOK_BACK = 2010


@router.get("/")
def show_home(request: Request, connection: ThreadReader) -> Response:
    """Show where to begin; a program that asks for JSON gets the index of the API."""
    accepted = negotiate(pagination.header(request, "accept"), ("application/json", HTML))
    if accepted != HTML:
        json_accepted(request)
        return index.index(request, connection)
    etag = page_tag(connection)
    if unchanged := not_modified(request, etag):
        return unchanged
    articles = _articles(connection)
    _, counted = facets.facets(connection, listings.CLAIMS, {}, ("status",))
    return page(
        request,
        "home.html",
        title="Claimbase: what is claimed, and what the evidence says",
        description="Claims of documents with the evidence for and against them, over the years.",
        json_address="/v1",
        headers={"ETag": etag},
        articles=articles,
        look_back=LOOK_BACK,
        statuses=_by_status(counted["status"]["terms"]),
    )


def _by_status(terms: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    counts = {term["term"]: term["count"] for term in terms}
    return [(term.id, counts[term.id]) for term in v.STATUSES.terms if counts.get(term.id)]


def _articles(connection: Connection) -> list[Row]:
    """Return documents that are taken apart here, each with its main claim and how the status of
    that ran: those that name one, or else those that state most claims.
    """
    named = select(source.c.id).where(
        source.c.main_claim.is_not(None), source.c.state == "accepted"
    )
    slugs = list(connection.scalars(named.order_by(source.c.id).limit(MOST_ARTICLES)))
    if not slugs:
        stating = select(term.c.value).where(term.c.field == "document").group_by(term.c.value)
        most = stating.order_by(func.count().desc(), term.c.value).limit(MOST_ARTICLES)
        slugs = list(connection.scalars(most))
    known = sources_by_id(connection, slugs)
    main_claims = sorted({known[slug]["main_claim"] for slug in slugs} - {None})
    runs = standings(connection, main_claims)
    briefs = listings.claim_briefs(connection, main_claims)
    return [
        {**known[slug], "main": _main(known[slug]["main_claim"], runs, briefs)} for slug in slugs
    ]


def _main(slug: str | None, runs: dict[str, list[Standing]], briefs: dict[str, Row]) -> Row | None:
    if slug is None or not runs.get(slug):
        return None
    run = runs[slug]
    today = now()[:10]
    return {
        "id": slug,
        "statement": briefs[slug]["statement"],
        "today": standing_on(run, today),
        "then": standing_on(run, f"{LOOK_BACK}-12-31"),
    }
