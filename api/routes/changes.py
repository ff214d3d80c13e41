"""What changes, for whoever follows: page by page, or as it happens."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from pydantic_core import to_json
from sqlalchemy import Connection

from api.http import pagination
from api.http.auth import Caller
from api.http.errors import LIST_ERRORS, PLAIN_ERRORS, not_acceptable, responses
from api.http.event_stream import BATCH, HEADERS, EventStream
from api.http.negotiation import JsonAccepted, negotiate
from api.http.pagination import choices
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from models.access.proposal_ownership import visibility_condition
from models.core.types import MAX_INTEGER
from models.read import change_feed, listings
from models.read.change_feed import Batch, ChangeFilters
from models.read.filters import NO_VALUES, Many, requested_parameters
from models.records.revision import RevisionOut, RevisionWhole

router = APIRouter(
    prefix="/v1", tags=["changes"], dependencies=[JsonAccepted], route_class=ReadRoute
)
streamed = APIRouter(prefix="/v1", tags=["changes"], route_class=ReadRoute)

STREAM = "text/event-stream"
STREAM_EXAMPLE = (
    "id: 196\nretry: 3000\n\nevent: change\ndata:"
    ' {"serial":197,"record":"topic/iron","kind":"topic", …}\nid: 197\n\n'
    ": heartbeat\n\n"
)


class Included(ChangeFilters):
    """Which changes, and how much of each."""

    include: Many[Annotated[str, choices("include", ["body"])]] = Field(
        NO_VALUES, description="`body` adds the whole record after each change."
    )


class ChangeParameters(Included):
    """Which changes, and from where on."""

    since: int = Field(
        0,
        ge=0,
        le=MAX_INTEGER,
        description="Serial after which to begin; 0 is before the first change.",
    )
    limit: int = Field(25, ge=1, le=200, description="Changes a page.")


class StreamParameters(Included):
    """Which changes, and from where on."""

    since: int | None = Field(
        None,
        ge=0,
        le=MAX_INTEGER,
        description="Serial after which to begin; where it is not given, the newest.",
    )


class ChangePlace(BaseModel):
    """Where the feed goes on."""

    limit: int
    next: int = Field(
        description="The `since` to give next time. Where it is `last`, there is no more yet."
    )
    last: int = Field(description="Serial of the newest change.")


class ChangePage(BaseModel):
    """A page of changes; it may be empty though more follow, where the filters let none of those
    looked at through.
    """

    data: list[RevisionOut | RevisionWhole]
    page: ChangePlace


def asked_for(query: Included) -> tuple[dict[str, Any], bool]:
    """Return the filters that were given, and whether the records are wanted whole."""
    parameters = requested_parameters(query)
    return {
        name: parameters[name] for name in ChangeFilters.model_fields if name in parameters
    }, bool(query.include)


@router.get("/changes", response_model=ChangePage, responses=LIST_ERRORS)
def list_changes(
    request: Request,
    connection: ThreadReader,
    caller: Caller,
    query: Annotated[ChangeParameters, Query()],
) -> Response:
    """List what changed after a serial, in the order in which it was committed, without a gap.

    Go on with `since` = `page.next`. What is only proposed, or was not taken, keeps its place, but
    `record`, `claim`, `actor`, `comment` and `body` are null; with a key, its owner's own proposals
    are told, and to curators all.
    """
    parameters, body = asked_for(query)
    may_see = visibility_condition(connection, caller)
    if caller is not None:
        pagination.make_private(request)
    change_feed.require_known(connection, parameters, may_see)
    batch = change_feed.changes_after(
        connection, query.since, query.limit, parameters, body=body, may_see=may_see
    )
    etag = f'W/"s{batch.last}"'
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    return pagination.json_response(_page(batch, query.limit), etag, _next_link(request, batch))


def _page(batch: Batch, limit: int) -> bytes:
    return to_json(
        {"data": batch.rows, "page": {"limit": limit, "next": batch.next, "last": batch.last}}
    )


def _next_link(request: Request, batch: Batch) -> dict[str, str]:
    if batch.next == batch.last:
        return {}
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "since"]
    return {"Link": f'<{request.url.path}?{urlencode([*kept, ("since", batch.next)])}>; rel="next"'}


@streamed.get(
    "/changes/stream",
    response_class=StreamingResponse,
    responses={
        200: {"content": {STREAM: {"schema": {"type": "string"}, "example": STREAM_EXAMPLE}}},
        **responses(406),
        **PLAIN_ERRORS,
    },
)
def stream_changes(
    request: Request,
    connection: ThreadReader,
    query: Annotated[StreamParameters, Query()],
    last_event_id: Annotated[
        int | None,
        Header(
            ge=0, le=MAX_INTEGER, description="Serial after which to go on; comes before `since`."
        ),
    ] = None,
) -> Response:
    """Send each change as it is committed, as server-sent events: `id` is the serial, `data` the
    change on one line.

    An event source that is cut off goes on by itself where it stopped. A heartbeat keeps the
    connection alive; where filters held something back it carries an `id` without data. A key
    changes nothing here: it may be revoked meanwhile.
    """
    if negotiate(pagination.header(request, "accept"), (STREAM,)) is None:
        raise not_acceptable((STREAM,))
    parameters, body = asked_for(query)
    change_feed.require_known(connection, parameters, change_feed.PUBLIC_REVISIONS)

    def read(connection: Connection, since: int) -> Batch:
        return change_feed.changes_after(connection, since, BATCH, parameters, body=body)

    at, since = (
        ("Last-Event-ID", last_event_id) if last_event_id is not None else ("since", query.since)
    )
    if since is None:
        since = listings.current_serial(connection)
    change_feed.require_serial(connection, since, at)
    if request.state.head:
        return Response(media_type=STREAM, headers=HEADERS)
    return EventStream(request.app.state.streams, since, read)
