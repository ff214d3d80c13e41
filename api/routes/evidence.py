"""Evidence across claims."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic_core import to_json

from api import pages, proposals
from api.deps import Caller, JsonAccepted, Reader
from api.errors import LIST_ERRORS, RECORD_ERRORS
from api.reading import ShortRoute
from api.routes.claims import EvidencePage, EvidenceParameters, SubmittedParameters, evidence_response
from models import queries
from models.base import Text
from models.evidence import EvidenceOut
from models.filters import AllEvidenceFilters

router = APIRouter(prefix="/v1/evidence", tags=["evidence"], dependencies=[JsonAccepted], route_class=ShortRoute)

EvidenceId = Annotated[
    Text, Path(max_length=300, description="`<claim>:<key>`", examples=["ccsvi-causes-ms:cochrane-2019"])
]


class AllEvidenceParameters(AllEvidenceFilters, EvidenceParameters, SubmittedParameters):
    """Which lines of evidence, across claims, in what order."""


@router.get("", response_model=EvidencePage, responses=LIST_ERRORS)
def list_evidence(
    request: Request, connection: Reader, caller: Caller, query: Annotated[AllEvidenceParameters, Query()]
) -> Response:
    """List accepted lines of evidence across claims."""
    waiting = proposals.proposals(request, connection, caller, query, "evidence")
    return proposals.with_proposals(evidence_response(request, connection, query), waiting)


@router.get("/{evidence}", response_model=EvidenceOut, responses=RECORD_ERRORS)
def get_evidence(request: Request, connection: Reader, evidence: EvidenceId) -> Response:
    """Give one accepted line of evidence. The ETag is that of its claim."""
    line = queries.evidence_line(connection, evidence)
    etag = f'"{queries.claim(connection, line["claim"], ())["revision"]}"'
    return pages.not_modified(request, etag) or pages.json_response(to_json(line), etag)
