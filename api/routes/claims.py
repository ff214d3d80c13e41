"""Claims: lists, counts, whole documents, and the walk along their relations."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json
from sqlalchemy import ColumnElement, Connection

from api import pages
from api.deps import JsonAccepted, Reader
from api.errors import LIST_ERRORS, RECORD_ERRORS
from api.pages import NONE, Page, Paging, choices
from models import queries
from models import vocabularies as v
from models.base import Text
from models.document import PARTS, ClaimOut, ClaimWhole
from models.evidence import EvidenceOut
from models.filters import ClaimFilters, EvidenceFilters, Filters, Many, given
from models.records import Row, evidence_out, evidence_statement
from models.relation import RelationOut

router = APIRouter(prefix="/v1/claims", tags=["claims"], dependencies=[JsonAccepted])

ClaimSlug = Annotated[Text, Path(max_length=200, description="The claim's slug.", examples=["ccsvi-causes-ms"])]
ClaimField = Annotated[str, choices("fields", [*ClaimOut.model_fields, *PARTS])]
ClaimPart = Annotated[str, choices("include", PARTS)]
ClaimSort = Annotated[str, pages.sorts(queries.CLAIMS)]
EvidenceSort = Annotated[str, pages.sorts(queries.EVIDENCE)]
Fields = Many[ClaimField]


class ClaimParameters(ClaimFilters, Paging):
    """Which claims, in what order, and how much of each."""

    sort: Many[ClaimSort] = Field(NONE, description="Such as `-evidence_level`; the id decides what is equal.")
    fields: Fields = Field(NONE, description="Only these fields or parts.")
    include: Many[ClaimPart] = Field(NONE, description="Add these parts.")


class ClaimPage(BaseModel):
    """A page of claims; each holds what `fields` and `include` asked for."""

    data: list[dict[str, Any]] = Field(description="Each a ClaimOut, with the parts of ClaimWhole that were asked for.")
    page: Page


class EvidenceParameters(EvidenceFilters, Paging):
    """Which lines of evidence, in what order."""

    sort: Many[EvidenceSort] = Field(NONE, description="Such as `level,-published`; the id decides what is equal.")


class EvidencePage(BaseModel):
    """A page of lines of evidence."""

    data: list[EvidenceOut]
    page: Page


class FacetParameters(ClaimFilters):
    """Which claims, and what to count them by."""

    by: Many[Annotated[str, choices("by", queries.FACETS)]] = Field(
        NONE, description="What to count by; all by default."
    )


class TermCount(BaseModel):
    """How many claims have a term."""

    term: str
    count: int


class Facet(BaseModel):
    """The 100 commonest terms, the claims counted under all others, and the claims without any."""

    terms: list[TermCount]
    other: int
    missing: int


class Facets(BaseModel):
    """How the claims found are spread."""

    total: int = Field(description="Claims found.")
    data: dict[str, Facet]


class WalkParameters(Filters):
    """How to walk."""

    depth: int = Field(1, ge=1, le=queries.MOST_STEPS, description="Steps at the most.")
    direction: Annotated[str, choices("direction", ["outgoing", "incoming", "both"])] = Field(
        "both", description="Along the relations, against them, or both."
    )
    type: Many[v.RelationType] = Field(NONE, description="Only relations of these types.")


class WalkedClaim(BaseModel):
    """A claim that was reached."""

    id: str
    distance: int = Field(description="Steps from the start.")
    statement: str
    kind: v.ClaimKind
    status: v.Status
    certainty: v.Certainty | None


class Walk(BaseModel):
    """The claims reached, the start among them, and the relations walked."""

    claims: list[WalkedClaim]
    relations: list[RelationOut]
    truncated: bool = Field(description="True where more lay beyond the depth or the limit of 500 claims.")


def render_claims(fields: Sequence[str], parts: Sequence[str]) -> pages.Render:
    """Return what turns rows of documents into JSON: a join of stored bytes, or a choice of fields."""

    def render(_connection: Connection, rows: Sequence[Row]) -> bytes:
        return b"[" + b",".join(claim_bytes(row, fields, parts) for row in rows) + b"]"

    return render


def claim_bytes(row: Row, fields: Sequence[str], parts: Sequence[str]) -> bytes:
    """Return one document: its core, or the chosen fields of it, and the stored parts."""
    core: bytes = row["core"]
    if fields:
        whole = from_json(core)
        core = to_json({name: whole[name] for name in fields if name in whole})
    members = [core[1:-1]] if len(core) > 2 else []
    members += [b'"' + part.encode() + b'":' + row[part] for part in parts]
    return b"{" + b",".join(members) + b"}"


def parts_of(fields: Sequence[str], include: Sequence[str]) -> list[str]:
    """Return the parts that are asked for, by either parameter, in their own order."""
    return [part for part in PARTS if part in include or part in fields]


def claims_response(
    request: Request, connection: Connection, query: ClaimParameters, *also: ColumnElement[bool]
) -> Response:
    """Answer a list of claims under conditions that always hold."""
    parts = parts_of(query.fields, query.include)
    listing = queries.narrowed(queries.CLAIMS, *also)
    render = render_claims(query.fields, parts)
    return pages.listing_response(request, connection, listing, queries.claims_statement(parts), query, render)


@router.get("", response_model=ClaimPage, responses=LIST_ERRORS)
def list_claims(request: Request, connection: Reader, query: Annotated[ClaimParameters, Query()]) -> Response:
    """List claims. All filters must hold; those on evidence must be met by one and the same accepted line."""
    return claims_response(request, connection, query)


@router.get("/facets", response_model=Facets, responses=LIST_ERRORS)
def count_claims(request: Request, connection: Reader, query: Annotated[FacetParameters, Query()]) -> Response:
    """Count the claims that the same filters find, by term. A claim with several terms counts under each."""
    etag = pages.list_tag(connection)
    if unchanged := pages.not_modified(request, etag):
        return unchanged
    parameters = queries.resolve(connection, given(query))
    by = query.by or queries.FACETS
    total = queries.count(connection, queries.CLAIMS, parameters)
    answer = {"total": total, "data": queries.facets(connection, parameters, by)}
    return pages.json_response(to_json(answer), etag)


class OneClaimParameters(Filters):
    """How much of the claim."""

    fields: Fields = Field(NONE, description="Only these fields or parts.")


@router.get("/{claim}", response_model=ClaimWhole, responses=RECORD_ERRORS)
def get_claim(
    request: Request, connection: Reader, claim: ClaimSlug, query: Annotated[OneClaimParameters, Query()]
) -> Response:
    """Give one claim whole: its status and all its parts. The ETag is the serial of its last change."""
    parts = parts_of(query.fields, () if query.fields else PARTS)
    row = queries.claim(connection, claim, parts)
    etag = f'"{row["revision"]}"'
    unchanged = pages.not_modified(request, etag)
    return unchanged or pages.json_response(claim_bytes(row, query.fields, parts), etag)


@router.get("/{claim}/evidence", response_model=EvidencePage, responses=RECORD_ERRORS)
def list_claim_evidence(
    request: Request, connection: Reader, claim: ClaimSlug, query: Annotated[EvidenceParameters, Query()]
) -> Response:
    """List the accepted lines of evidence on one claim."""
    queries.claim(connection, claim, ())
    return evidence_response(request, connection, query, queries.evidence.c.claim == claim)


def evidence_response(
    request: Request, connection: Connection, query: EvidenceParameters, *also: ColumnElement[bool]
) -> Response:
    """Answer a list of lines of evidence under conditions that always hold."""

    def render(connection: Connection, rows: Sequence[Row]) -> bytes:
        return to_json(evidence_out(connection, rows))

    listing = queries.narrowed(queries.EVIDENCE, *also)
    return pages.listing_response(request, connection, listing, evidence_statement(), query, render)


@router.get("/{claim}/relations", response_model=Walk, responses=RECORD_ERRORS)
def walk_relations(
    request: Request, connection: Reader, claim: ClaimSlug, query: Annotated[WalkParameters, Query()]
) -> Response:
    """Walk the relations from one claim, breadth first; cycles end, and `truncated` says whether more lay beyond."""
    etag = pages.list_tag(connection)
    queries.claim(connection, claim, ())
    if unchanged := pages.not_modified(request, etag):
        return unchanged
    answer = queries.walk(connection, claim, query.depth, query.direction, query.type)
    return pages.json_response(to_json(answer), etag)
