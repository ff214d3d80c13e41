"""Search: what is found, and what to try where nothing is."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from api.http import search_parameters
from api.http.read_connection import ThreadReader
from api.site.lists import address, claim_of
from api.site.pages import PageRoute, page
from models.read import listings, search_results
from models.read.filters import SearchFilter, requested_parameters
from models.read.search_results import Search
from models.records.serializers import Row, sources_out

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# The best matches of each sort; the rest is a click away.
RESULTS_SHOWN = 10
PLACES_SHOWN = 2


class SearchParameters(SearchFilter):
    """What to search for."""


@router.get("/search")
def show_search(
    request: Request, connection: ThreadReader, query: Annotated[SearchParameters, Query()]
) -> Response:
    """Show what is found: claims first, then sources."""
    claims, of_claims = _found(request, connection, query, "claim")
    sources, of_sources = _found(request, connection, query, "source")
    return page(
        request,
        "search.html",
        title=f"Search: {query.q}" if query.q else "Search",
        json_address=address("/v1/claims", [("q", query.q)]) if query.q else "/v1/claims",
        q=query.q if of_claims else None,
        claims=claims,
        sources=sources,
        of_claims=of_claims,
        of_sources=of_sources,
        most=RESULTS_SHOWN,
        has_synonyms=of_claims is not None and _has_synonyms(of_claims),
    )


def _has_synonyms(search: Search) -> bool:
    """Return whether other wordings for the same are searched for, too."""
    return any(len(term) > 1 for branch in search.query for term in branch.wanted)


def _read_claims(_connection: Connection, rows: Sequence[Row]) -> list[Row]:
    return [claim_of(row) for row in rows]


# For each kind: its listing and statement, how its rows become what is shown, and are marked.
_KINDS: dict[str, tuple[Any, ...]] = {
    "claim": (
        listings.CLAIMS,
        lambda: listings.claims_statement(search_results.HIGHLIGHT_PARTS),
        _read_claims,
        lambda rows, _shown, query: search_results.highlights(rows, query, None),
    ),
    "source": (
        listings.SOURCES,
        listings.sources_statement,
        sources_out,
        lambda _rows, shown, query: search_results.source_highlights(shown, query),
    ),
}


def _found(
    request: Request, connection: Connection, query: SearchParameters, kind: str
) -> tuple[list[Row], Search | None]:
    """Return the best matches of one kind with their marked texts, and how `q` was understood."""
    listing, statement, read, mark = _KINDS[kind]
    sought, listing = search_parameters.apply_search(request, connection, listing, kind, query)
    if sought is None:
        return [], None
    parameters = requested_parameters(query)
    rows, _ = listings.read_page(
        connection, listing, statement(), parameters, listing.default, None, RESULTS_SHOWN
    )
    shown = read(connection, rows)
    marked = mark(rows, shown, sought.query)
    found = [
        {**record, "marked": _marks(highlights)}
        for record, highlights in zip(shown, marked, strict=True)
    ]
    return found, sought


def _marks(highlights: Mapping[str, str]) -> Row:
    """Return the marked statement or title, if it has a match, and some other marked texts.

    They are HTML already, in which only the marks are elements.
    """
    own = highlights.get("statement") or highlights.get("title")
    others = [
        f"Also said: {html}" if name.startswith("wordings/") else html
        for name, html in highlights.items()
        if name not in ("statement", "title")
    ]
    return {"own": own, "others": others[:PLACES_SHOWN]}
