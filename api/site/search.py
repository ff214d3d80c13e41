"""Search: what is found, and what to try where nothing is."""

import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from api.http import search_parameters
from api.http.read_connection import ThreadReader
from api.site.lists import address, claim_of
from api.site.pages import PageRoute, page
from models.read import facets, listings, search_results
from models.read.filters import Filters, SearchText, requested_parameters
from models.records.serializers import Row, sources_out
from models.search.query import parse_query

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# The best matches of each sort; the rest is a click away.
RESULTS_SHOWN = 10
PLACES_SHOWN = 2
# The words of a search that found nothing, each of which is tried alone.
WORDS_TRIED = 6


class SearchParameters(Filters):
    """What to search for."""

    q: SearchText | None = Field(None, description="Words to search for.")


@router.get("/search")
def show_search(
    request: Request, connection: ThreadReader, query: Annotated[SearchParameters, Query()]
) -> Response:
    """Show what is found: claims first, then sources."""
    asked = query.q is not None
    claims = _found_claims(request, connection, query) if asked else []
    sources = _found_sources(request, connection, query) if asked else []
    in_vain = query.q if not claims and not sources else None
    return page(
        request,
        "search.html",
        title=f"Search: {query.q}" if query.q else "Search",
        json_address=address("/v1/claims", [("q", query.q)]) if query.q else "/v1/claims",
        q=query.q,
        claims=claims,
        sources=sources,
        most=RESULTS_SHOWN,
        has_synonyms=query.q is not None and _has_synonyms(request, query.q),
        near=_near(connection, in_vain) if in_vain else [],
        alone=_alone(request, connection, in_vain) if in_vain else [],
    )


def _has_synonyms(request: Request, q: str) -> bool:
    """Return whether other wordings for the same are searched for, too."""
    branches = parse_query(q, request.app.state.synonyms)
    return any(len(term) > 1 for branch in branches for term in branch.wanted)


def _alone(request: Request, connection: Connection, q: str) -> list[tuple[str, int]]:
    """Return the words of a search that find claims each by itself, with the number of these."""
    words = dict.fromkeys(word for word in re.findall(r"[\w-]+", q) if len(word) > 2)
    numbers = {}
    for word in list(words)[:WORDS_TRIED] if len(words) > 1 else ():
        alone = SearchParameters(q=word)
        _, listing = search_parameters.apply_search(
            request, connection, listings.CLAIMS, "claim", alone
        )
        numbers[word] = facets.count(connection, listing, {"q": word})
    return [(word, number) for word, number in numbers.items() if number]


def _found_claims(request: Request, connection: Connection, query: SearchParameters) -> list[Row]:
    sought, listing = search_parameters.apply_search(
        request, connection, listings.CLAIMS, "claim", query
    )
    assert sought is not None
    rows, _ = listings.read_page(
        connection,
        listing,
        listings.claims_statement(search_results.HIGHLIGHT_PARTS),
        requested_parameters(query),
        listing.default,
        None,
        RESULTS_SHOWN,
    )
    marked = search_results.highlights(rows, sought, None)
    return [
        {**claim_of(row), "marked": _marks(highlights)}
        for row, highlights in zip(rows, marked, strict=True)
    ]


def _found_sources(request: Request, connection: Connection, query: SearchParameters) -> list[Row]:
    sought, listing = search_parameters.apply_search(
        request, connection, listings.SOURCES, "source", query
    )
    assert sought is not None
    rows, _ = listings.read_page(
        connection,
        listing,
        listings.sources_statement(),
        requested_parameters(query),
        listing.default,
        None,
        RESULTS_SHOWN,
    )
    found = sources_out(connection, rows)
    marked = search_results.source_highlights(found, sought)
    return [
        {**source, "marked": _marks(highlights)}
        for source, highlights in zip(found, marked, strict=True)
    ]


def _marks(highlights: Mapping[str, str]) -> Row:
    """Return the marked statement or title, if it has a match, and some other marked texts.

    They are HTML already, in which only the marks are elements.
    """
    own = highlights.get("statement") or highlights.get("title")
    others = [html for name, html in highlights.items() if name not in ("statement", "title")]
    return {"own": own, "others": others[:PLACES_SHOWN]}


def _near(connection: Connection, q: str) -> list[Row]:
    """Return records whose names begin like the last word that was searched for."""
    words = q.split()
    return (
        search_results.suggest(connection, words[-1][:4], ("claim", "source", "topic"))
        if words
        else []
    )
