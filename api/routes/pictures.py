"""Pictures, drawn from the same answers that the JSON gives."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api import pages
from api.deps import Reader
from api.errors import RECORD_ERRORS, not_acceptable
from api.formats import negotiate
from api.formats.chain_svg import chain_svg
from api.formats.timeline_svg import timeline_svg
from models import explanation, queries, walks
from models.base import Text, now

router = APIRouter(prefix="/v1/claims", tags=["pictures"])

SVG = "image/svg+xml"
PICTURE = {**RECORD_ERRORS, 200: {"content": {SVG: {"schema": {"type": "string"}}}, "description": "The picture."}}
# The picture may be shown by any page, and runs nothing if it is opened by itself.
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

PicturedClaim = Annotated[Text, Path(max_length=200, description="The claim's slug.", examples=["ccsvi-causes-ms"])]


def _picture(content: bytes, etag: str) -> Response:
    return Response(content, media_type=SVG, headers={"ETag": etag, **pages.CACHE, **HEADERS})


def _accepts_pictures(request: Request) -> None:
    if negotiate(pages.header(request, "accept"), [SVG]) is None:
        raise not_acceptable([SVG])


@router.get("/{claim}/timeline.svg", response_class=Response, responses=PICTURE)
def draw_timeline(request: Request, connection: Reader, claim: PicturedClaim) -> Response:
    """Draw how a claim's status ran over the years, with its evidence: support above, dispute below, sized by level."""
    _accepts_pictures(request)
    found = queries.whole_claim(connection, claim, None, None)
    today = now()[:10]
    # The last period runs to today, so tomorrow's picture is another one.
    etag = f'"{found.claim["revision"]}-{today}"'
    if unchanged := pages.not_modified(request, etag):
        return unchanged
    explained = explanation.explain(found, None)
    return _picture(timeline_svg(explanation.timeline(found), explained.lines, today), etag)


@router.get("/{claim}/chain.svg", response_class=Response, responses=PICTURE)
def draw_chain(request: Request, connection: Reader, claim: PicturedClaim) -> Response:
    """Draw the causal chain through a claim: what leads to it and what it leads to, each with its status."""
    _accepts_pictures(request)
    queries.claim(connection, claim, ())
    etag = pages.list_tag(connection)
    if unchanged := pages.not_modified(request, etag):
        return unchanged
    return _picture(chain_svg(claim, walks.chain(connection, claim)), etag)
