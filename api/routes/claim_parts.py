"""Single parts of a claim: an occurrence, a relation, an assessment. Evidence has routes of its
own.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic_core import to_json

from api.http import pagination
from api.http.errors import RECORD_ERRORS
from api.http.negotiation import JsonAccepted
from api.http.read_connection import Reader
from api.http.read_route import ReadRoute
from models.core.types import Text
from models.read import listings
from models.records.assessment import AssessmentOut
from models.records.claim import OccurrenceOut
from models.records.relation import RelationOut

router = APIRouter(
    prefix="/v1", tags=["claims"], dependencies=[JsonAccepted], route_class=ReadRoute
)

PartId = Annotated[
    Text, Path(max_length=300, description="The claim's slug, a colon, and the key.")
]
TieId = Annotated[Text, Path(max_length=300, description="`<claim>:<type>:<target>`")]


def _part(request: Request, connection: Reader, kind: str, part_id: str) -> Response:
    found, revision = listings.read_part(connection, kind, part_id)
    etag = f'"{revision}"'
    return pagination.not_modified(request, etag) or pagination.json_response(to_json(found), etag)


@router.get("/occurrences/{occurrence}", response_model=OccurrenceOut, responses=RECORD_ERRORS)
def get_occurrence(request: Request, connection: Reader, occurrence: PartId) -> Response:
    """Return one place where a claim is stated. The ETag is that of its claim."""
    return _part(request, connection, "occurrence", occurrence)


@router.get("/relations/{relation}", response_model=RelationOut, responses=RECORD_ERRORS)
def get_relation(request: Request, connection: Reader, relation: TieId) -> Response:
    """Return one tie from a claim to another, with what the evidence on it amounts to.

    The ETag is that of its claim.
    """
    return _part(request, connection, "relation", relation)


@router.get("/assessments/{assessment}", response_model=AssessmentOut, responses=RECORD_ERRORS)
def get_assessment(request: Request, connection: Reader, assessment: PartId) -> Response:
    """Return one decision on a claim's status. The ETag is that of its claim."""
    return _part(request, connection, "assessment", assessment)
