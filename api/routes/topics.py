"""Topics: the subjects under which claims are filed."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json
from sqlalchemy import select

from api import pages
from api.deps import JsonAccepted, Reader
from api.errors import LIST_ERRORS, RECORD_ERRORS
from api.pages import Page, Paging
from api.reading import ShortRoute
from models import queries
from models.base import Text
from models.claim import TopicOut
from models.filters import Filters
from models.records import columns_of

router = APIRouter(prefix="/v1/topics", tags=["vocabularies"], dependencies=[JsonAccepted], route_class=ShortRoute)


class TopicParameters(Filters, Paging):
    """How much of the list."""


class TopicPage(BaseModel):
    """A page of topics."""

    data: list[TopicOut]
    page: Page


@router.get("", response_model=TopicPage, responses=LIST_ERRORS)
def list_topics(request: Request, connection: Reader, query: Annotated[TopicParameters, Query()]) -> Response:
    """List topics with their definitions and crosswalks."""
    return pages.listing_response(
        request,
        connection,
        queries.TOPICS,
        select(queries.topic),
        query,
        lambda _connection, rows: [to_json(columns_of(row, TopicOut)) for row in rows],
    )


@router.get("/{topic}", response_model=TopicOut, responses=RECORD_ERRORS)
def get_topic(
    request: Request, connection: Reader, topic: Annotated[Text, Path(max_length=200, examples=["iron"])]
) -> Response:
    """Give one topic. The ETag is the serial of its last change."""
    found = columns_of(queries.one_topic(connection, topic), TopicOut)
    etag = f'"{found["revision"]}"'
    return pages.not_modified(request, etag) or pages.json_response(to_json(found), etag)
