"""Pictures, drawn from the same answers that the JSON gives."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from pydantic_core import from_json

from api.http import pagination
from api.http.errors import MEDIA_TYPE as PROBLEM
from api.http.errors import RECORD_ERRORS
from api.http.negotiation import negotiate, require_accepted
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from api.pictures.badge import badge_svg, missing_badge_svg
from api.pictures.chain import chain_svg
from api.pictures.svg import THEMES
from api.pictures.timeline import timeline_svg
from models.core.dates import now
from models.core.errors import Gone, NotFound
from models.core.types import Text
from models.read import listings, relation_graph
from models.read.filters import AS_OF, Day, Filters
from models.status import claim_aggregate, explanation

router = APIRouter(prefix="/v1/claims", tags=["pictures"], route_class=ReadRoute)

SVG = "image/svg+xml"
PICTURE = {
    **RECORD_ERRORS,
    200: {"content": {SVG: {"schema": {"type": "string"}}}, "description": "The picture."},
}
# The picture may be shown by any page, and runs nothing if it is opened by itself.
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

# An image proxy or a browser may show a badge for five minutes without asking.
BADGE_CACHE = {**pagination.CACHE, "Cache-Control": "public, max-age=300"}

PicturedClaim = Annotated[
    Text, Path(max_length=200, description="The claim's slug.", examples=["ccsvi-causes-ms"])
]

# Narrower, no word can be read; wider is more than any screen.
LEAST_WIDTH, WIDEST = 160, 4000


class ThemeParameters(Filters):
    """The colours of a picture."""

    theme: Annotated[str, pagination.choices("theme", THEMES)] = Field(
        "auto", description="Its colours: `auto` follows the reader's system."
    )


class SizedParameters(ThemeParameters):
    """The colours of a picture, and its width."""

    width: int | None = Field(
        None,
        ge=LEAST_WIDTH,
        le=WIDEST,
        description="Its width in pixels, with the height that belongs to it; without one it fills"
        " the room that it has.",
    )


class DatedParameters(SizedParameters):
    """The colours of a picture, its width, and the day that it shows."""

    as_of: Day | None = Field(None, description=AS_OF)


class BadgeParameters(Filters):
    """What a badge says, as of when, and its colours."""

    as_of: Day | None = Field(None, description=AS_OF)
    label: Text = Field("claim", max_length=40, description="What stands on its left.")
    theme: Annotated[str, pagination.choices("theme", THEMES)] = Field(
        "auto",
        description="Its colours; `auto` are the light ones, since a badge cannot know its page.",
    )


def _picture(content: bytes, etag: str, cache: Mapping[str, str] = pagination.CACHE) -> Response:
    return Response(content, media_type=SVG, headers={"ETag": etag, **cache, **HEADERS})


def _accepts_pictures(request: Request) -> None:
    require_accepted(request, (SVG,))


@router.get("/{claim}/timeline.svg", response_class=Response, responses=PICTURE)
def draw_timeline(
    request: Request,
    connection: ThreadReader,
    claim: PicturedClaim,
    query: Annotated[DatedParameters, Query()],
) -> Response:
    """Draw how a claim's status ran over the years, with its evidence: support above, dispute
    below, sized by level. With `as_of` it ends on that day, with what had been published by then.
    """
    _accepts_pictures(request)
    found = listings.load_claim(connection, claim, query.as_of, None)
    until = min(query.as_of or now()[:10], now()[:10])
    # The last period runs to today, so tomorrow's picture is another one.
    etag = f'"{found.claim["revision"]}-{until}"'
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    explained = explanation.explain(found, query.as_of)
    told = explanation.timeline(found)
    drawn = timeline_svg(told, explained.lines, until, query.theme, query.width)
    return _picture(drawn, etag)


@router.get("/{claim}/chain.svg", response_class=Response, responses=PICTURE)
def draw_chain(
    request: Request,
    connection: ThreadReader,
    claim: PicturedClaim,
    query: Annotated[DatedParameters, Query()],
) -> Response:
    """Draw the causal chain through a claim: what leads to it and what it leads to, each with its
    status. With `as_of` those that had been stated by that day, with what followed then.
    """
    _accepts_pictures(request)
    found = listings.read_claim(connection, claim, ())
    if query.as_of is not None:
        listings.load_claim(connection, claim, query.as_of, None)
    etag = pagination.list_tag(connection)
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    own_notice = from_json(found["fields"])["notice"]
    chain = relation_graph.causal_chain(connection, claim, day=query.as_of)
    drawn = chain_svg(claim, chain, own_notice, query.theme, query.width, query.as_of)
    return _picture(drawn, etag)


@router.get("/{claim}/badge.svg", response_class=Response, responses=PICTURE)
def draw_badge(
    request: Request,
    connection: ThreadReader,
    claim: PicturedClaim,
    query: Annotated[BadgeParameters, Query()],
) -> Response:
    """Draw a badge for any page to embed: the claim's status in words and colour, with its
    certainty.

    Whoever asks for pictures, as browsers do, gets a grey one with the 404 or 410 of a claim that
    is not there.
    """
    _accepts_pictures(request)
    try:
        found = listings.load_claim(connection, claim, query.as_of, None)
    except (Gone, NotFound) as error:
        # A program that takes anything gets the error as every other one.
        if negotiate(pagination.header(request, "accept"), (PROBLEM, SVG)) == PROBLEM:
            raise
        status, said = (
            (410, "retracted claim") if isinstance(error, Gone) else (404, "unknown claim")
        )
        drawn = missing_badge_svg(said, error.detail, query.label, query.theme)
        return Response(
            drawn, status_code=status, media_type=SVG, headers={**pagination.CACHE, **HEADERS}
        )
    etag = f'"{found.claim["revision"]}"'
    if unchanged := pagination.not_modified(request, etag, BADGE_CACHE):
        return unchanged
    core = claim_aggregate.core(found).model_dump()
    return _picture(badge_svg(core, query.label, query.theme), etag, BADGE_CACHE)
