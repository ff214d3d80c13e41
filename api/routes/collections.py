"""Collections: where records come from that were taken over from elsewhere."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic_core import to_json
from sqlalchemy import select

from api.http import pagination
from api.http.errors import LIST_ERRORS, RECORD_ERRORS
from api.http.negotiation import JsonAccepted
from api.http.pagination import Page, Paging
from api.http.read_connection import Reader
from api.http.read_route import ReadRoute
from models.core.types import Shape, Text
from models.read import listings
from models.read.filters import CollectionFilters
from models.records.collection import CollectionOut
from models.records.serializers import columns_of

router = APIRouter(
    prefix="/v1/collections",
    tags=["vocabularies"],
    dependencies=[JsonAccepted],
    route_class=ReadRoute,
)


class CollectionParameters(CollectionFilters, Paging):
    """Which collections, and how much of the list."""


class CollectionPage(Shape):
    """A page of collections."""

    data: list[CollectionOut]
    page: Page


@router.get("", response_model=CollectionPage, responses=LIST_ERRORS)
def list_collections(
    request: Request, connection: Reader, query: Annotated[CollectionParameters, Query()]
) -> Response:
    """List the collections with their licences, versions and days of retrieval."""
    return pagination.listing_response(
        request,
        connection,
        listings.COLLECTIONS,
        select(listings.collection),
        query,
        lambda _connection, rows: [to_json(columns_of(row, CollectionOut)) for row in rows],
    )


@router.get("/{collection}", response_model=CollectionOut, responses=RECORD_ERRORS)
def get_collection(
    request: Request,
    connection: Reader,
    collection: Annotated[Text, Path(max_length=200, examples=["scifact"])],
) -> Response:
    """Return one collection. The ETag is the serial of its last change."""
    found = columns_of(listings.read_collection(connection, collection), CollectionOut)
    etag = f'"{found["revision"]}"'
    return pagination.not_modified(request, etag) or pagination.json_response(to_json(found), etag)
