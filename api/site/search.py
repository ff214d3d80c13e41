"""Search: what is found, and what to try where nothing is."""

import re
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
from models.read.matching import Match, match_sentences
from models.read.search_results import Search
from models.records.identifiers import stated_identifier
from models.records.serializers import Row, sources_out
from models.search.tokenizer import tokenize

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# The best matches of each sort; the rest is a click away.
RESULTS_SHOWN = 10
PLACES_SHOWN = 2
# Fewer claims than these are few; a text of so many words may be a statement or a question.
FEW = 3
WORDS_OF_A_STATEMENT = 3
_NAMES_AND_YEAR = re.compile(r"[^\W\d_][^\d]{1,60}?[\s,(]+(?:19|20)\d\d[a-z]?\)?")


class SearchParameters(SearchFilter):
    """What to search for."""


@router.get("/search")
def show_search(
    request: Request, connection: ThreadReader, query: Annotated[SearchParameters, Query()]
) -> Response:
    """Show what is found: claims first, then sources; where a work is asked for, it comes first.

    Few claims are followed by others that say nearly the same.
    """
    claims, of_claims = _found(request, connection, query, "claim")
    sources, of_sources = _found(request, connection, query, "source")
    alike = _alike(request, connection, query.q, claims) if query.q else []
    return page(
        request,
        "search.html",
        title=f"Search: {query.q}" if query.q else "Search",
        json_address=address("/v1/claims", [("q", query.q)]) if query.q else "/v1/claims",
        q=query.q if of_claims else None,
        claims=claims,
        sources=sources,
        alike=alike,
        sources_first=bool(sources) and query.q is not None and _names_a_work(query.q),
        of_claims=of_claims,
        of_sources=of_sources,
        most=RESULTS_SHOWN,
        has_synonyms=of_claims is not None and _has_synonyms(of_claims),
    )


def _alike(
    request: Request, connection: Connection, text: str, found: Sequence[Row]
) -> list[Match]:
    """Return claims that say nearly what a text says, where few claims have its words.

    A question in everyday words may have all of them in common with one claim by chance, and mean
    another.
    """
    if len(found) >= FEW or len(tokenize(text)) < WORDS_OF_A_STATEMENT:
        return []
    state = request.app.state
    (alike,) = match_sentences(
        connection, [text], state.synonyms, limit=FEW, model=state.text_model.model
    )
    shown = {claim["id"] for claim in found}
    return [match for match in alike if match.claim not in shown]


def _names_a_work(text: str) -> bool:
    """Return whether a text is an identifier, or names with a year."""
    return stated_identifier(text) is not None or _NAMES_AND_YEAR.fullmatch(text) is not None


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
