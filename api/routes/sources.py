"""Sources: any citable work, by slug or by identifier."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from pydantic_core import to_json
from sqlalchemy import Connection
from starlette.convertors import PathConvertor, register_url_convertor

from api.http import chosen_ids, list_formats, pagination, pending_proposals, search_parameters
from api.http.auth import Caller
from api.http.errors import LIST_ERRORS, RECORD_ERRORS
from api.http.list_formats import FormatParameters, ListFormatParameters
from api.http.pagination import Page, Paging
from api.http.read_connection import Reader, ThreadReader
from api.http.read_route import ReadRoute
from api.routes.claims import (
    CHOSEN,
    ClaimPage,
    ClaimParameters,
    PartialClaimPage,
    SubmittedParameters,
    claims_response,
)
from api.routes.source_lookup import UnreadableOut, told
from models.core.schema_names import partial_of, sometimes
from models.core.types import Shape, Text
from models.read import listings
from models.read.filters import (
    NO_VALUES,
    SOURCE_REFERENCE,
    ClaimFilters,
    Filters,
    Many,
    SourceFilters,
)
from models.read.listings import RELEVANCE
from models.read.search_results import Search
from models.read.source_lookup import look_up
from models.records.serializers import Row, sources_out
from models.records.source import SourceOut

router = APIRouter(prefix="/v1/sources", tags=["sources"], route_class=ReadRoute)


of_claims = APIRouter(prefix="/v1/claims", tags=["sources"], route_class=ReadRoute)


class ReferenceConvertor(PathConvertor):
    """A part of a path that may have slashes, such as a DOI.

        Starlette's own stops at a line feed; such a path would then be a 405 from the routes that
    write.
    """

    regex = "(?s:.*)"


register_url_convertor("reference", ReferenceConvertor())

SourceSort = Annotated[str, pagination.sorts(listings.SOURCES, "SourceSort", RELEVANCE)]
SourceField = Annotated[str, pagination.choices("fields", [*SourceOut.model_fields], "SourceField")]
OwnSourceSort = Annotated[str, pagination.sorts(listings.SOURCES, "OwnSourceSort")]
SourceReference = Annotated[
    Text,
    Path(
        max_length=500,
        description=SOURCE_REFERENCE.capitalize(),
        examples=["doi:10.1002/ana.22085"],
    ),
]


class SourceFieldParameters(Shape):
    """How much of each source."""

    fields: Many[SourceField] = Field(NO_VALUES, description=CHOSEN)


class SourceParameters(
    SourceFilters,
    Paging,
    ListFormatParameters,
    SourceFieldParameters,
    SubmittedParameters,
    search_parameters.HighlightParameters,
):
    """Which sources, in what order, in which representation."""

    sort: Many[SourceSort] = Field(
        NO_VALUES, description="Such as `-published`; the id decides what is equal."
    )


class SourcesOfClaimsParameters(ClaimFilters, Paging, ListFormatParameters, SourceFieldParameters):
    """Of which claims, in what order, in which representation."""

    sort: Many[OwnSourceSort] = Field(
        NO_VALUES, description="Such as `-published`; the id decides what is equal."
    )


class OneSourceParameters(Filters, FormatParameters, SourceFieldParameters):
    """How much of the source, or in which representation."""


class FoundSource(SourceOut):
    """A source as a list gives it."""

    highlight: search_parameters.Highlight | None = sometimes(search_parameters.HIGHLIGHT)


class SourceWithPage(SourceOut):
    """A source, and where people read it."""

    web_page: str = Field(description="Path of the page that shows the same to people.")


class PartialSource(Shape):
    """What `fields` chose of a source."""

    model_config = partial_of("FoundSource")


class SourceListing(pending_proposals.WithProposals):
    """What is beside the sources of a page."""

    page: Page
    not_found: list[str] | None = sometimes("With `id` or `identifier`: those that name no source.")
    unreadable: list[UnreadableOut] | None = sometimes("With `identifier`: what is no identifier.")


class SourcePage(SourceListing):
    """A page of sources."""

    data: list[FoundSource]


class PartialSourcePage(SourceListing):
    """A page of sources with `fields`: each has what they chose."""

    data: list[PartialSource]


def source_lines(fields: Sequence[str]) -> pagination.Lines:
    """Return a function that makes JSON of sources, all fields or some."""

    def lines(connection: Connection, rows: Sequence[Row]) -> list[bytes]:
        return [source_bytes(source, fields) for source in sources_out(connection, rows)]

    return lines


def source_bytes(source: Row, fields: Sequence[str]) -> bytes:
    """Return the JSON of a source, or only the chosen fields of it."""
    return to_json({name: source[name] for name in fields} if fields else source)


@router.get(
    "",
    response_model=SourcePage | PartialSourcePage,
    responses=list_formats.responses(LIST_ERRORS, ListFormatParameters),
)
def list_sources(
    request: Request,
    connection: Reader,
    caller: Caller,
    query: Annotated[SourceParameters, Query()],
) -> Response:
    """List sources.

    A page as JSON, or all of them as lines of JSON or in a format of reference managers.
    """
    waiting = pending_proposals.proposals(request, connection, caller, query, "source")
    query, more = chosen_ids.choose(connection, "source", query)
    if query.identifier:
        known = look_up(connection, query.identifier)
        more = {**told(known), "not_found": [*more.get("not_found", ()), *known.not_found]}
        # An empty list would be no filter, and no source has an empty slug.
        slugs = list(dict.fromkeys(known.found.values()))
        query = query.model_copy(update={"identifier": slugs or [""]})
    sought, listing = search_parameters.apply_search(
        request, connection, listings.SOURCES, "source", query
    )
    lines = source_lines(query.fields)
    if sought is not None and query.highlight:
        write = partial(source_bytes, fields=query.fields)
        lines = search_parameters.highlighting_sources(write, sought.query)
    listed = _listed(request, connection, query, listing, more, sought, lines)
    return pending_proposals.with_proposals(listed, waiting)


def _listed(
    request: Request,
    connection: Connection,
    query: SourceParameters | SourcesOfClaimsParameters,
    listing: listings.Listing,
    more: Mapping[str, object],
    sought: Search | None,
    lines: pagination.Lines,
) -> Response:
    """Return the response of a list of sources."""
    chosen = list_formats.requested_format(request, query)
    if chosen not in (None, list_formats.LINES):
        return list_formats.listing_response(
            request, connection, chosen, listing, query, list_formats.sources_of_list
        )
    statement = listings.sources_statement()
    if chosen is list_formats.LINES:
        return list_formats.lines_response(
            request, connection, listing, statement, query, lines, "sources"
        )
    return pagination.listing_response(
        request, connection, listing, statement, query, lines, more, sought
    )


@of_claims.get(
    "/sources",
    response_model=SourcePage | PartialSourcePage,
    responses=list_formats.responses(LIST_ERRORS, ListFormatParameters),
)
def list_sources_of_claims(
    request: Request,
    connection: ThreadReader,
    query: Annotated[SourcesOfClaimsParameters, Query()],
) -> Response:
    """List the sources that claims name: in which they are stated, on which they rest, or from
    which a position on them is. It takes the filters of claims; each source is there once.
    """
    query, _ = chosen_ids.choose(connection, "claim", query)
    listing = listings.CLAIMS if query.as_of is None else listings.CLAIMS_AS_OF
    sought, listing = search_parameters.apply_search(request, connection, listing, "claim", query)
    lines = source_lines(query.fields)
    return _listed(request, connection, query, listings.sources_of(listing), {}, sought, lines)


# A DOI contains slashes, so the longer path has to be tried first.
@router.get(
    "/{source:reference}/claims",
    response_model=ClaimPage | PartialClaimPage,
    responses=list_formats.responses(RECORD_ERRORS, ListFormatParameters),
)
def list_source_claims(
    request: Request,
    connection: Reader,
    source: SourceReference,
    query: Annotated[ClaimParameters, Query()],
) -> Response:
    """List the claims that rest on a source, are stated in it, or have a position from it."""
    slug = listings.resolve_source(connection, source)
    return claims_response(request, connection, query, listings.cites_source(slug, query.as_of))


@router.get(
    "/{source:reference}",
    response_model=SourceWithPage | PartialSource,
    responses=list_formats.responses(RECORD_ERRORS),
)
def get_source(
    request: Request,
    connection: Reader,
    source: SourceReference,
    query: Annotated[OneSourceParameters, Query()],
) -> Response:
    """Return one source, as JSON or in a format of reference managers.

    The ETag is the serial of its last change.
    """
    chosen = list_formats.requested_format(request, query)
    found = listings.read_referenced_source(connection, source)
    etag = f'"{found["revision"]}"'
    links = {"Link": list_formats.source_links(found)}
    if chosen is not None:
        return list_formats.not_modified(request, chosen, etag) or list_formats.sources_response(
            request, chosen, [found], etag, found["id"], links, alone=True
        )
    if not query.fields:
        found["web_page"] = f"/sources/{found['id']}"
    return pagination.not_modified(request, etag) or pagination.json_response(
        source_bytes(found, query.fields), etag, links
    )
