"""Cards: what the evidence says of a claim, small enough to stand in any page."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from api.http import pagination
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from api.routes.claims import ClaimSlug
from api.routes.pictures import ThemeParameters
from api.site.claim_summary import STATUSES
from api.site.pages import HTML, not_modified, page_tag, rendered
from models.core.errors import Gone, NotFound
from models.core.notice import SHORT_NOTICE, with_general
from models.read import listings
from models.read.filters import AS_OF, Day
from models.status import claim_aggregate

router = APIRouter(route_class=ReadRoute, include_in_schema=False)

# Any page may show a card; the card itself runs nothing.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors *",
    )
)
HEADERS = {**pagination.CACHE, "Content-Security-Policy": POLICY}


class CardParameters(ThemeParameters):
    """The colours of a card, and as of when it speaks."""

    as_of: Day | None = Field(None, description=AS_OF)


@router.get("/embed/claims/{claim}")
def show_card(
    request: Request,
    connection: ThreadReader,
    claim: ClaimSlug,
    query: Annotated[CardParameters, Query()],
) -> Response:
    """Show a claim's status, how certain it is, and how much evidence there is on each side.

    A claim that is not there has a card, too, with the 404 or 410 of its page: a frame would show
    nothing else.
    """
    etag = page_tag(connection)
    if unchanged := not_modified(request, etag, HEADERS):
        return unchanged
    card = partial(rendered, "card.html")
    shared = {"theme": query.theme, "as_of": query.as_of, "base": pagination.base_of(request)}
    try:
        found = listings.load_claim(connection, claim, query.as_of, None)
    except (Gone, NotFound) as error:
        content = card(claim=None, said=error.detail, notice=SHORT_NOTICE, **shared)
        status = 410 if isinstance(error, Gone) else 404
        return Response(content, status_code=status, media_type=HTML, headers=HEADERS)
    core = claim_aggregate.core(found).model_dump()
    said, notice = STATUSES[core["status"]], with_general(core["notice"], SHORT_NOTICE)
    content = card(claim=core, said=said, notice=notice, **shared)
    return Response(content, media_type=HTML, headers={"ETag": etag, **HEADERS})
