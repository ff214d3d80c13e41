"""Topics: the subjects under which claims are filed."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic_core import to_json
from sqlalchemy import select

from api.http import chosen_ids, list_formats, pagination
from api.http.errors import LIST_ERRORS, RECORD_ERRORS
from api.http.negotiation import JsonAccepted
from api.http.pagination import Page, Paging
from api.http.read_connection import Reader
from api.http.read_route import ReadRoute
from models.core.types import Text
from models.read import listings
from models.read.filters import TopicFilters
from models.records.claim import TopicOut
from models.records.serializers import columns_of

router = APIRouter(
    prefix="/v1/topics", tags=["vocabularies"], dependencies=[JsonAccepted], route_class=ReadRoute
)


class TopicParameters(TopicFilters, Paging):
    """Which topics, and how much of the list."""


class TopicPage(chosen_ids.WithNotFound):
    """A page of topics."""

    data: list[TopicOut]
    page: Page


@router.get("", response_model=TopicPage, responses=LIST_ERRORS)
def list_topics(
    request: Request, connection: Reader, query: Annotated[TopicParameters, Query()]
) -> Response:
    """List topics with their definitions and crosswalks."""
    query, more = chosen_ids.choose(connection, "topic", query)
    return pagination.listing_response(
        request,
        connection,
        listings.TOPICS,
        select(listings.topic),
        query,
        lambda _connection, rows: [to_json(columns_of(row, TopicOut)) for row in rows],
        more,
    )


@router.get("/{topic}", response_model=TopicOut, responses=RECORD_ERRORS)
def get_topic(
    request: Request,
    connection: Reader,
    topic: Annotated[Text, Path(max_length=200, examples=["iron"])],
) -> Response:
    """Return one topic. The ETag is the serial of its last change."""
    found = columns_of(listings.read_topic(connection, topic), TopicOut)
    etag = f'"{found["revision"]}"'
    links = {"Link": list_formats.page_link(f"/topics/{found['id']}")}
    return pagination.not_modified(request, etag) or pagination.json_response(
        to_json(found), etag, links
    )
