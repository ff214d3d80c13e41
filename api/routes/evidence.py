"""Evidence across claims."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from api.http import list_formats, pagination, pending_proposals
from api.http.auth import Caller
from api.http.errors import LIST_ERRORS, RECORD_ERRORS
from api.http.list_formats import ListTableParameters
from api.http.negotiation import JsonAccepted
from api.http.read_connection import Reader
from api.http.read_route import ReadRoute
from api.routes import evidence_table
from api.routes.claims import (
    CHOSEN,
    EvidenceField,
    EvidencePage,
    EvidenceParameters,
    PartialEvidence,
    PartialEvidencePage,
    SubmittedParameters,
    evidence_bytes,
    evidence_response,
    evidence_search,
)
from models.core.types import Text
from models.read import listings
from models.read.filters import NO_VALUES, AllEvidenceFilters, Filters, Many
from models.records.evidence import EvidenceOut

router = APIRouter(prefix="/v1/evidence", tags=["evidence"], route_class=ReadRoute)

EvidenceId = Annotated[
    Text,
    Path(max_length=300, description="`<claim>:<key>`", examples=["ccsvi-causes-ms:cochrane-2019"]),
]


class AllEvidenceParameters(
    AllEvidenceFilters, EvidenceParameters, SubmittedParameters, ListTableParameters
):
    """Which lines of evidence, across claims, in what order, in which representation."""


@router.get(
    "",
    response_model=EvidencePage | PartialEvidencePage,
    responses=list_formats.responses(LIST_ERRORS, ListTableParameters),
)
def list_evidence(
    request: Request,
    connection: Reader,
    caller: Caller,
    query: Annotated[AllEvidenceParameters, Query()],
) -> Response:
    """List accepted lines of evidence across claims.

    As `csv` it is a table with a row for each effect of a line: claim, citation, identifiers,
    design, size, finding, effect with its interval, grading.
    """
    waiting = pending_proposals.proposals(request, connection, caller, query, "evidence")
    chosen = list_formats.requested_format(request, query)
    listing, lines, _ = evidence_search(request, connection, query)
    statement = listings.evidence_statement()
    if chosen is list_formats.TABLE:
        return list_formats.whole_response(
            request,
            connection,
            chosen,
            listing,
            statement,
            query,
            evidence_table.table_lines,
            "evidence",
            evidence_table.HEAD,
        )
    if chosen is not None:
        return list_formats.lines_response(
            request, connection, listing, statement, query, lines, "evidence"
        )
    return pending_proposals.with_proposals(evidence_response(request, connection, query), waiting)


class OneLineParameters(Filters):
    """How much of the line."""

    fields: Many[EvidenceField] = Field(NO_VALUES, description=CHOSEN)


@router.get(
    "/{evidence}",
    response_model=EvidenceOut | PartialEvidence,
    responses=RECORD_ERRORS,
    dependencies=[JsonAccepted],
)
def get_evidence(
    request: Request,
    connection: Reader,
    evidence: EvidenceId,
    query: Annotated[OneLineParameters, Query()],
) -> Response:
    """Return one accepted line of evidence. The ETag is that of its claim."""
    line = listings.read_evidence_line(connection, evidence)
    etag = f'"{line["revision"]}"'
    return pagination.not_modified(request, etag) or pagination.json_response(
        evidence_bytes(line["document"], query.fields), etag
    )
