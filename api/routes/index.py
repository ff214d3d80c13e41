"""Where to begin, and the notice."""

from fastapi import APIRouter, Request, Response
from pydantic import Field
from pydantic_core import to_json

from api.http import pagination
from api.http.errors import LIST_ERRORS
from api.http.negotiation import JsonAccepted
from api.http.read_connection import Reader
from api.http.read_route import ReadRoute
from api.settings import installed_version
from models.core import vocabularies as v
from models.core.notice import NOTICE
from models.core.types import Shape
from models.read import listings
from models.records.collection import OWN_LICENCE

router = APIRouter(tags=["index"], dependencies=[JsonAccepted], route_class=ReadRoute)


class Licences(Shape):
    """SPDX identifiers."""

    code: str = "MIT"
    content: str = Field(
        OWN_LICENCE,
        description="Of what was written here; what was taken over from a collection has that "
        "collection's licence.",
    )


class EntryPoint(Shape):
    """What this is and where things are."""

    name: str = "Claimbase"
    version: str
    serial: int = Field(description="Number of the last change; grows by one with each.")
    review: v.ReviewMode = Field(
        description="Who decides on proposals: a second person, or their proposer too, since one"
        " person curates alone. Each revision says which it was."
    )
    notice: str = NOTICE
    licences: Licences = Licences()
    links: dict[str, str]


LINKS = {
    "claims": "/v1/claims",
    "facets": "/v1/claims/facets",
    "evidence": "/v1/evidence",
    "sources": "/v1/sources",
    "history": "/v1/statuses/history",
    "topics": "/v1/topics",
    "collections": "/v1/collections",
    "suggest": "/v1/suggest",
    "changes": "/v1/changes",
    "suggestions": "/v1/suggestions",
    "comments": "/v1/comments",
    "vocabularies": "/v1/vocabularies",
    "export": "/v1/export",
    "datapackage": "/v1/datapackage.json",
    "notice": "/v1/notice",
    "openapi": "/openapi.json",
    "docs": "/docs",
    "health": "/healthz",
    "ready": "/readyz",
}


@router.get("/v1", response_model=EntryPoint, responses=LIST_ERRORS)
def index(request: Request, connection: Reader) -> Response:
    """Return the links, the version, the serial, the licences and the notice."""
    review = request.app.state.settings.review
    etag = f'W/"s{listings.current_serial(connection)}-{installed_version()}-{review}"'
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    answer = EntryPoint(
        version=installed_version(),
        serial=listings.current_serial(connection),
        review=review,
        links=LINKS,
    )
    return pagination.json_response(to_json(answer), etag)


class Notice(Shape):
    """What every reader of a claim must be told."""

    notice: str = NOTICE


@router.get("/v1/notice", response_model=Notice, responses=LIST_ERRORS)
def get_notice(request: Request) -> Response:
    """Return the notice that every answer links to by `rel="disclaimer"`."""
    etag = f'"{installed_version()}"'
    unchanged = pagination.not_modified(request, etag)
    return unchanged or pagination.json_response(to_json(Notice()), etag)
