"""The evidence matrix: claims by sources, with the direction and the rank of each line."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from pydantic_core import from_json, to_json
from sqlalchemy import Connection

from api.http import chosen_ids, list_formats, pagination, search_parameters
from api.http.errors import LIST_ERRORS, RECORD_ERRORS
from api.http.list_formats import ListTableParameters, TableParameters
from api.http.pagination import Page, Paging
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from api.routes.claims import ClaimSlug, ClaimSort, Times, notice_of
from api.tables import matrix as matrix_table
from api.tables.formats import TableFormat
from models.core.notice import GENERAL, NOTICE, WITH_OWN, with_general
from models.projection import documents
from models.read import listings
from models.read.filters import NO_VALUES, ClaimFilters, Many
from models.records.serializers import Row
from models.status import claim_aggregate
from models.status.matrix import MatrixRow, matrix_row

router = APIRouter(prefix="/v1", tags=["evidence"], route_class=ReadRoute)

# A page ends early, after one claim at least, where its claims have more JSON of evidence: about
# 2,000 lines, which take a thread a quarter of a second.
MOST_EVIDENCE_BYTES = 4_000_000


class MatrixParameters(ClaimFilters, Paging, ListTableParameters):
    """Which claims, in what order, in which representation."""

    sort: Many[ClaimSort] = Field(
        NO_VALUES, description="As in a list of claims; the id decides what is equal."
    )


class ClaimMatrixParameters(Times, TableParameters):
    """As of when, and in which representation."""


class MatrixPage(chosen_ids.WithNotFound):
    """A page of an evidence matrix: a row for each claim, with a cell for each line on it."""

    data: list[MatrixRow]
    page: Page
    notice: str = Field(description=GENERAL)


class ClaimMatrix(MatrixRow):
    """The row of one claim."""

    notice: str = Field(description=WITH_OWN)


@router.get(
    "/matrix",
    response_model=MatrixPage,
    responses=list_formats.responses(LIST_ERRORS, ListTableParameters),
)
def list_matrix(
    request: Request, connection: ThreadReader, query: Annotated[MatrixParameters, Query()]
) -> Response:
    """Tabulate claims by sources: what each source says about each claim, at which rank and why.

    It takes the filters of claims, such as `topic`, and is paged by claims. A page with much
    evidence ends early.
    """
    chosen = list_formats.requested_format(request, query)
    query, more = chosen_ids.choose(connection, "claim", query)
    listing = listings.CLAIMS if query.as_of is None else listings.CLAIMS_AS_OF
    sought, listing = search_parameters.apply_search(request, connection, listing, "claim", query)

    def rows(connection: Connection, found: Sequence[Row]) -> Iterator[MatrixRow]:
        if query.as_of is not None:
            found = documents.parts_as_of(connection, found, ["evidence"], query.as_of)
        return (_row(row, query.as_of) for row in found)

    def json_lines(connection: Connection, found: Sequence[Row]) -> list[bytes]:
        return [to_json(row) for row in rows(connection, found)]

    def table_rows(connection: Connection, found: Sequence[Row]) -> list[Row]:
        return list(matrix_table.rows_of(rows(connection, found)))

    if query.as_of is None:
        statement = listings.claims_statement(("evidence",))
    else:
        statement = listings.claims_as_of_statement(("evidence",))
    if isinstance(chosen, TableFormat):
        return list_formats.table_response(
            request, connection, chosen, matrix_table.TABLE, listing, statement, query, table_rows
        )
    if chosen is list_formats.LINES:
        return list_formats.lines_response(
            request, connection, listing, statement, query, json_lines, "matrix"
        )
    return pagination.listing_response(
        request,
        connection,
        listing,
        statement,
        query,
        json_lines,
        {**more, "notice": NOTICE},
        sought,
        _fitting,
    )


@router.get(
    "/claims/{claim}/matrix",
    response_model=ClaimMatrix,
    responses=list_formats.responses(RECORD_ERRORS, TableParameters),
)
def get_claim_matrix(
    request: Request,
    connection: ThreadReader,
    claim: ClaimSlug,
    query: Annotated[ClaimMatrixParameters, Query()],
) -> Response:
    """Return the row of one claim in the evidence matrix: what each source says about it, at which
    rank and why.
    """
    chosen = list_formats.requested_format(request, query)
    if query.as_of or query.known_at:
        then = listings.load_claim(connection, claim, query.as_of, query.known_at)
        etag = f'"{then.claim["revision"]}"'
        row = matrix_row(
            claim_aggregate.core(then).model_dump(), claim_aggregate.parts(then)["evidence"]
        )
        notice = with_general(then.claim["notice"])
    else:
        found = listings.read_claim(connection, claim, ["evidence"])
        etag = f'"{found["revision"]}"'
        row, notice = _row(found), notice_of(found)
    if chosen is None:
        unchanged = pagination.not_modified(request, etag)
        answer = {**row.model_dump(), "notice": notice}
        return unchanged or pagination.json_response(to_json(answer), etag)
    return list_formats.table_file(
        request, chosen, matrix_table.TABLE, matrix_table.rows_of([row]), etag, f"{claim}-matrix"
    )


def _fitting(rows: Sequence[Row]) -> int:
    """Return how many of the first claims of a page fit on it, by the size of their evidence."""
    size = 0
    for number, row in enumerate(rows):
        size += len(row["evidence"])
        if number and size > MOST_EVIDENCE_BYTES:
            return number
    return len(rows)


def _row(document: Mapping[str, Any], day: str | None = None) -> MatrixRow:
    claim = {**from_json(document["fields"]), **from_json(document["derived"])}
    return matrix_row(claim, from_json(document["evidence"]), day)
