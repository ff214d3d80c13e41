"""The feed of changes, in pages or as a stream of events."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from pydantic_core import to_json
from sqlalchemy import Connection

from api.http import pagination
from api.http.auth import Caller
from api.http.errors import LIST_ERRORS, PLAIN_ERRORS, responses
from api.http.event_stream import BATCH, HEADERS, EventStream
from api.http.negotiation import JsonAccepted, require_accepted
from api.http.pagination import choices
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from models.access.api_keys import state_of_keys
from models.access.proposal_ownership import visibility_condition
from models.core.types import MAX_INTEGER, Shape
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
    """Filters on changes, and whether to include the whole records."""

    include: Many[Annotated[str, choices("include", ["body"], "ChangePart")]] = Field(
        NO_VALUES, description="`body` adds the whole record as it was after each change."
    )


class ChangeParameters(Included):
    """Filters on changes, the serial to begin after, and the size of a page."""

    since: int = Field(
        0,
        ge=0,
        le=MAX_INTEGER,
        description="Serial after which to begin; 0 is before the first change.",
    )
    limit: int = Field(25, ge=1, le=200, description="Changes per page.")


class StreamParameters(Included):
    """Filters on changes, and the serial to begin after."""

    since: int | None = Field(
        None,
        ge=0,
        le=MAX_INTEGER,
        description="Serial after which to begin; the newest by default.",
    )


class ChangePlace(pagination.State):
    """The position in the feed, and which state of the database it shows."""

    limit: int
    next: int = Field(
        description="The next `since`. If it equals `last`, there are no more changes yet."
    )
    last: int = Field(description="Serial of the newest change.")


class ChangePage(Shape):
    """A page of changes. It may be empty although more follow, if the filters exclude every change
    that was examined.
    """

    data: list[RevisionOut | RevisionWhole]
    page: ChangePlace


def asked_for(query: Included) -> tuple[dict[str, Any], bool]:
    """Return the filters in the request, and whether to include the whole records."""
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
    """List the changes after a serial, in the order of commits, without gaps.

    Continue with `since` = `page.next`. A change to a proposal that waits, or was rejected or
    withdrawn, keeps its serial, but `record`, `claim`, `actor`, `comment` and `body` are null;
    where it took back what had been accepted, only `body` is. With a key, its owner's own proposals
    are shown, and curators see all.
    """
    parameters, body = asked_for(query)
    may_see = visibility_condition(connection, caller)
    if caller is not None:
        pagination.make_private(request, caller.id, *state_of_keys(connection))
    change_feed.require_known(connection, parameters, may_see)
    batch = change_feed.changes_after(
        connection, query.since, query.limit, parameters, body=body, may_see=may_see
    )
    etag = pagination.tag_at(request, batch.last)
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    page = {
        "limit": query.limit,
        "next": batch.next,
        "last": batch.last,
        **pagination.state(connection),
    }
    content = to_json({"data": batch.rows, "page": page})
    return pagination.json_response(content, etag, _next_link(request, batch))


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
            ge=0, le=MAX_INTEGER, description="Serial after which to resume; overrides `since`."
        ),
    ] = None,
) -> Response:
    """Send each change as it is committed, as server-sent events: `id` is the serial, `data` the
    change as JSON without line breaks.

    An event source that loses the connection resumes where it stopped. A heartbeat keeps the
    connection alive; if the filters excluded changes, it has an `id` without data. A key has no
    effect here, since it may be revoked while the stream is open.
    """
    require_accepted(request, (STREAM,))
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
