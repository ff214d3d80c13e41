"""Relations: the claims around a claim, and those that would lose support with it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from pydantic_core import to_json

from api.http import pagination
from api.http.errors import RECORD_ERRORS
from api.http.negotiation import JsonAccepted
from api.http.pagination import choices
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from api.routes.claims import ClaimSlug, notice_of
from models.core import vocabularies as v
from models.core.notice import WITH_OWN
from models.core.types import Shape
from models.read import listings, relation_graph
from models.read.filters import NO_VALUES, Filters, Many
from models.records.relation import RelationIn
from models.status.explanation import Prediction

router = APIRouter(
    prefix="/v1/claims", tags=["relations"], dependencies=[JsonAccepted], route_class=ReadRoute
)

Depth = Annotated[
    int, Field(ge=1, le=relation_graph.MAX_STEPS, description="Maximum number of steps.")
]


class WalkParameters(Filters):
    """How far to follow relations, in which direction, and of which types."""

    depth: Depth = 1
    direction: Annotated[
        str, choices("direction", ["outgoing", "incoming", "both"], "WalkDirection")
    ] = Field("both", description="Follow relations forwards, backwards, or both.")
    type: Many[v.RelationType] = Field(NO_VALUES, description="Only relations of these types.")


class ClaimBrief(Shape):
    """The short form of a claim."""

    id: str
    statement: str
    kind: v.ClaimKind
    status: v.Status
    certainty: v.Certainty | None


class WalkedClaim(ClaimBrief):
    """A claim that is connected to the start."""

    distance: int = Field(description="Steps from the start.")


class WalkedRelation(RelationIn):
    """A relation that was followed."""

    claim: str
    status: v.Status = Field(
        description="The status derived from the evidence on the relation itself."
    )


class Walk(Shape):
    """The claims connected to the start, including the start, and the relations followed."""

    claims: list[WalkedClaim]
    relations: list[WalkedRelation]
    truncated: bool = Field(
        description="True if there is more beyond the depth or the limit of 500 claims."
    )
    notice: str = Field(description=WITH_OWN)


class ImpactParameters(Filters):
    """The status to assume for the claim, and how far to follow relations."""

    assume: v.Status = Field("refuted", description="The status that the claim is assumed to have.")
    depth: Depth = relation_graph.MAX_STEPS


class TouchedClaim(WalkedClaim):
    """A claim that depends on the requested one, directly or indirectly."""

    via: list[WalkedRelation] = Field(description="The relations through which it depends on it.")
    loses_support: bool = Field(
        description="True if the assumed status is refuted, disputed or worse than the present."
    )


class Link(Shape):
    """A claim in a chain, or the relation between two claims if `target` is set."""

    claim: str
    target: str | None
    status: v.Status


class Chain(Shape):
    """A causal chain through the claim, from its first cause to its last effect."""

    claims: list[str]
    weakest: Link = Field(
        description="The claim or relation with the lowest derived status; ignores `assume`."
    )
    fallen_predictions: list[Prediction] = Field(
        description="What claims of the chain predict and what is refuted or disputed."
    )


class Impact(Shape):
    """The claims that depend on a claim, and the causal chains through it."""

    claim: str
    assume: v.Status
    status: v.Status = Field(description="The derived status of the claim.")
    claims: list[TouchedClaim]
    blocked: list[WalkedRelation] = Field(
        description="Relations refuted by evidence: no claim loses support through them."
    )
    predictions: list[Prediction] = Field(
        description="What must hold if the claim holds, with what fell of it."
    )
    chains: list[Chain] = Field(description="Weakest first.")
    truncated: bool = Field(
        description="True if there is more beyond the depth, 500 claims or 20 chains."
    )
    notice: str = Field(description=WITH_OWN)


@router.get("/{claim}/relations", response_model=Walk, responses=RECORD_ERRORS)
def walk_relations(
    request: Request,
    connection: ThreadReader,
    claim: ClaimSlug,
    query: Annotated[WalkParameters, Query()],
) -> Response:
    """Follow the relations from one claim, breadth first. Cycles end; `truncated` says whether
    there is more.
    """
    notice = notice_of(listings.read_claim(connection, claim, ()))
    etag = pagination.list_tag(connection)
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    answer = relation_graph.walk(connection, claim, query.depth, query.direction, query.type)
    return pagination.json_response(to_json({**answer, "notice": notice}), etag)


@router.get("/{claim}/impact", response_model=Impact, responses=RECORD_ERRORS)
def get_impact(
    request: Request,
    connection: ThreadReader,
    claim: ClaimSlug,
    query: Annotated[ImpactParameters, Query()],
) -> Response:
    """Return the claims that lose support if this one has the assumed status, with the relations
    and the distance.

    A claim rests on the claims that lead to it, and on those that it depends on, presupposes or
    refines. If the assumed status is refuted or disputed, the claims that predict this one lose
    support, too.
    """
    notice = notice_of(listings.read_claim(connection, claim, ()))
    etag = pagination.list_tag(connection)
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    answer = relation_graph.impact(connection, claim, query.assume, query.depth)
    return pagination.json_response(to_json({**answer, "notice": notice}), etag)
