"""Evidence across claims."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from pydantic_core import from_json
from sqlalchemy import Connection

from api.citations import fhir, formats, json_ld, rdf
from api.citations.formats import Format
from api.http import (
    chosen_ids,
    list_formats,
    pagination,
    pending_proposals,
    search_parameters,
)
from api.http.auth import Caller
from api.http.errors import LIST_ERRORS, RECORD_ERRORS, NotAcceptable
from api.http.list_formats import LineFormatParameters, ListTableParameters
from api.http.negotiation import JsonAccepted
from api.http.pagination import choices
from api.http.read_connection import Reader, ThreadReader
from api.http.read_route import ReadRoute
from api.routes.claims import (
    CHOSEN,
    EvidenceField,
    EvidencePage,
    EvidenceParameters,
    Facets,
    PartialEvidence,
    PartialEvidencePage,
    SubmittedParameters,
    evidence_bytes,
    evidence_response,
    facets_response,
)
from models.core.types import Text
from models.read import facets, listings
from models.read.filters import NO_VALUES, AllEvidenceFilters, Filters, Many
from models.records.evidence import EvidenceOut
from models.records.serializers import Row, sources_by_id

router = APIRouter(prefix="/v1/evidence", tags=["evidence"], route_class=ReadRoute)

EvidenceId = Annotated[
    Text,
    Path(max_length=300, description="`<claim>:<key>`", examples=["ccsvi-causes-ms:cochrane-2019"]),
]


LEFT_OUT = "Lines from retracted sources; retracted=any lists them, too."


class AllEvidenceParameters(AllEvidenceFilters, EvidenceParameters, SubmittedParameters):
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
    """List accepted lines of evidence across claims, without those from retracted sources.

    As `csv` or `parquet` it is a table with a row for each effect of a line: claim and its status,
    citation, identifiers, design, size, finding, effect with its interval, rank and grading.
    """
    waiting = pending_proposals.proposals(request, connection, caller, query, "evidence")
    query, more = chosen_ids.choose(connection, "evidence", query)
    if query.retracted is None:
        more["left_out"] = LEFT_OUT
    listed = evidence_response(
        request, connection, query, of=listings.EVIDENCE_UNRETRACTED, more=more
    )
    return pending_proposals.with_proposals(listed, waiting)


class EvidenceFacetParameters(AllEvidenceFilters):
    """Which lines of evidence, and what to count them by."""

    by: Many[Annotated[str, choices("by", [*facets.EVIDENCE_FACETS])]] = Field(
        NO_VALUES, description="What to count by; all by default."
    )


@router.get("/facets", response_model=Facets, responses=LIST_ERRORS, dependencies=[JsonAccepted])
def count_evidence(
    request: Request, connection: ThreadReader, query: Annotated[EvidenceFacetParameters, Query()]
) -> Response:
    """Count the lines of evidence that the same filters find, by term."""
    query, _ = chosen_ids.choose(connection, "evidence", query)
    sought, listing = search_parameters.apply_search(
        request, connection, listings.EVIDENCE_UNRETRACTED, "evidence", query
    )
    by = query.by or [*facets.EVIDENCE_FACETS]
    return facets_response(request, connection, listing, query, by, facets.evidence_facets, sought)


class OneLineParameters(Filters, LineFormatParameters):
    """How much of the line, or in which representation."""

    fields: Many[EvidenceField] = Field(NO_VALUES, description=CHOSEN)


@router.get(
    "/{evidence}",
    response_model=EvidenceOut | PartialEvidence,
    responses=list_formats.responses(RECORD_ERRORS, LineFormatParameters),
)
def get_evidence(
    request: Request,
    connection: Reader,
    evidence: EvidenceId,
    query: Annotated[OneLineParameters, Query()],
) -> Response:
    """Return one accepted line of evidence. The ETag is that of its claim.

    FHIR needs a population, exposure, comparator or outcome: a line without any is a 406 there.
    """
    chosen = list_formats.requested_format(request, query)
    line = listings.read_evidence_line(connection, evidence)
    etag = f'"{line["revision"]}"'
    if chosen is not None:
        return _written(request, connection, chosen, line, etag)
    return pagination.not_modified(request, etag) or pagination.json_response(
        evidence_bytes(line["document"], query.fields), etag
    )


def _written(
    request: Request, connection: Connection, chosen: Format, found: Row, etag: str
) -> Response:
    """Return a line as linked data or in FHIR."""
    line = from_json(found["document"])
    claim = listings.claim_briefs(connection, [line["claim"]])[line["claim"]]
    source = sources_by_id(connection, [line["source"]])[line["source"]]
    name = line["id"].replace(":", "-")
    if chosen is formats.NANOPUBLICATION:
        publish = partial(
            rdf.line_as_nanopublication, line, claim["statement"], source, found["revision"]
        )
        return list_formats.made_file(request, chosen, publish, etag, name)
    if chosen is not formats.FHIR:
        make = partial(json_ld.evidence, line, claim["statement"], source)
        return list_formats.linked_file(request, chosen, make, etag, name)
    if not fhir.has_pico(line):
        raise NotAcceptable("FHIR needs a population, exposure, comparator or outcome.")
    write = partial(fhir.line_as_bundle, line, {**claim, "revision": found["revision"]}, source)
    return list_formats.made_file(request, chosen, write, etag, name)
