"""Evidence across claims."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic_core import to_json

from api import citations, pages, proposals
from api.citations import LinesParameters
from api.deps import Caller, JsonAccepted, Reader
from api.errors import LIST_ERRORS, RECORD_ERRORS
from api.reading import ShortRoute
from api.routes.claims import (
    EvidencePage,
    EvidenceParameters,
    SubmittedParameters,
    evidence_lines,
    evidence_response,
)
from models import queries
from models.base import Text
from models.evidence import EvidenceOut
from models.filters import AllEvidenceFilters
from models.records import evidence_statement

router = APIRouter(prefix="/v1/evidence", tags=["evidence"], route_class=ShortRoute)

EvidenceId = Annotated[
    Text, Path(max_length=300, description="`<claim>:<key>`", examples=["ccsvi-causes-ms:cochrane-2019"])
]


class AllEvidenceParameters(AllEvidenceFilters, EvidenceParameters, SubmittedParameters, LinesParameters):
    """Which lines of evidence, across claims, in what order, in which representation."""


@router.get("", response_model=EvidencePage, responses=citations.responses(LIST_ERRORS, LinesParameters))
def list_evidence(
    request: Request, connection: Reader, caller: Caller, query: Annotated[AllEvidenceParameters, Query()]
) -> Response:
    """List accepted lines of evidence across claims."""
    waiting = proposals.proposals(request, connection, caller, query, "evidence")
    if citations.wanted(request, query) is not None:
        return citations.lines_response(
            request, connection, queries.EVIDENCE, evidence_statement(), query, evidence_lines, "evidence"
        )
    return proposals.with_proposals(evidence_response(request, connection, query), waiting)


@router.get("/{evidence}", response_model=EvidenceOut, responses=RECORD_ERRORS, dependencies=[JsonAccepted])
def get_evidence(request: Request, connection: Reader, evidence: EvidenceId) -> Response:
    """Give one accepted line of evidence. The ETag is that of its claim."""
    line = queries.evidence_line(connection, evidence)
    etag = f'"{queries.claim(connection, line["claim"], ())["revision"]}"'
    return pages.not_modified(request, etag) or pages.json_response(to_json(line), etag)
