"""Relations: the walk along them, and what would fall with a claim."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from api.http import pagination
from api.http.errors import RECORD_ERRORS
from api.http.negotiation import JsonAccepted
from api.http.pagination import choices
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from api.routes.claims import ClaimSlug
from models.core import vocabularies as v
from models.read import listings, relation_graph
from models.read.filters import NO_VALUES, Filters, Many
from models.records.relation import RelationIn

router = APIRouter(
    prefix="/v1/claims", tags=["relations"], dependencies=[JsonAccepted], route_class=ReadRoute
)

Depth = Annotated[int, Field(ge=1, le=relation_graph.MAX_STEPS, description="Steps at the most.")]


class WalkParameters(Filters):
    """How to walk."""

    depth: Depth = 1
    direction: Annotated[str, choices("direction", ["outgoing", "incoming", "both"])] = Field(
        "both", description="Along the relations, against them, or both."
    )
    type: Many[v.RelationType] = Field(NO_VALUES, description="Only relations of these types.")


class ClaimBrief(BaseModel):
    """A claim in short."""

    id: str
    statement: str
    kind: v.ClaimKind
    status: v.Status
    certainty: v.Certainty | None


class WalkedClaim(ClaimBrief):
    """A claim that was reached."""

    distance: int = Field(description="Steps from the start.")


class WalkedRelation(RelationIn):
    """A relation that was walked."""

    claim: str
    status: v.Status = Field(description="What the evidence on the relation itself amounts to.")


class Walk(BaseModel):
    """The claims reached, the start among them, and the relations walked."""

    claims: list[WalkedClaim]
    relations: list[WalkedRelation]
    truncated: bool = Field(
        description="True where more lay beyond the depth or the limit of 500 claims."
    )


class ImpactParameters(Filters):
    """What to assume of the claim, and how far to look."""

    assume: v.Status = Field("refuted", description="The status that the claim is assumed to have.")
    depth: Depth = relation_graph.MAX_STEPS


class TouchedClaim(WalkedClaim):
    """A claim that rests on the one asked about, directly or not."""

    via: list[WalkedRelation] = Field(description="The relations by which it does.")
    loses_support: bool = Field(
        description="True where the assumed status is refuted, disputed or worse than the present."
    )


class Link(BaseModel):
    """A claim of a chain, or (with a target) the relation between two."""

    claim: str
    target: str | None
    status: v.Status


class Chain(BaseModel):
    """A causal chain through the claim, from its first cause to its last effect."""

    claims: list[str]
    weakest: Link = Field(
        description="The claim or relation of the lowest derived status, whatever is assumed."
    )


class Impact(BaseModel):
    """What hangs on a claim."""

    claim: str
    assume: v.Status
    status: v.Status = Field(description="Its status as derived.")
    claims: list[TouchedClaim]
    blocked: list[WalkedRelation] = Field(
        description="Relations that evidence has refuted: nothing is lost along them."
    )
    chains: list[Chain] = Field(description="The weakest first.")
    truncated: bool = Field(
        description="True where more lay beyond the depth, 500 claims or 20 chains."
    )


@router.get("/{claim}/relations", response_model=Walk, responses=RECORD_ERRORS)
def walk_relations(
    request: Request,
    connection: ThreadReader,
    claim: ClaimSlug,
    query: Annotated[WalkParameters, Query()],
) -> Response:
    """Walk the relations from one claim, breadth first; cycles end, and `truncated` says whether
    more lay beyond.
    """
    listings.read_claim(connection, claim, ())
    etag = pagination.list_tag(connection)
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    answer = relation_graph.walk(connection, claim, query.depth, query.direction, query.type)
    return pagination.json_response(to_json(answer), etag)


@router.get("/{claim}/impact", response_model=Impact, responses=RECORD_ERRORS)
def get_impact(
    request: Request,
    connection: ThreadReader,
    claim: ClaimSlug,
    query: Annotated[ImpactParameters, Query()],
) -> Response:
    """Tell which claims lose support if this one has the assumed status, along which relations and
    how far.

    A claim rests on what leads to it, and on what it depends on, presupposes or refines.
    """
    listings.read_claim(connection, claim, ())
    etag = pagination.list_tag(connection)
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    return pagination.json_response(
        to_json(relation_graph.impact(connection, claim, query.assume, query.depth)), etag
    )
