"""Export of everything public, as JSON Lines."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from api.http import pagination
from api.http.body_chunks import ahead, pieces, streamed, to_fast_clients
from api.http.clients import client_of
from api.http.errors import LIST_ERRORS, Unavailable
from api.http.negotiation import LINES_TYPES, require_accepted
from api.http.read_connection import database, reading_by_itself
from api.http.read_route import ReadRoute
from models.core.types import Slug
from models.read import references
from models.read.filters import Filters
from models.transfer import export as exporting

router = APIRouter(prefix="/v1", tags=["export"], route_class=ReadRoute)

AT_ONCE = 2
# Bytes a second, before compression, that a client must take on average: an export holds a
# snapshot, and the database keeps all that was changed since.
LEAST_RATE = 250_000
# The first two records of an export.
EXAMPLE = (
    '{"record":"export","format":1,"schema":"0021","derivation":"2026-11-29.8","serial":478,"licence":"CC0-1.0",'
    '"licences":["CC0-1.0"],"collection":null,'
    '"notice":"This is a record of published evidence, not medical advice. …",'
    '"counts":{"collections":0,"topics":12,"claims":34,"sources":102,'
    '"suggestions":0,"comments":0,"retired":0,"revisions":478,"texts":0}}\n'
    '{"record":"topic","id":"autoimmunity","label":"Autoimmunity","definition":"Immune'
    " activity against the body's own "
    'tissue.","crosswalk":{"mesh":"Autoimmunity"},"external_ids":[],"collection":null,"state":"accepted","replaced_by":null,"revision":7,'
    '"created":"2026-11-24T12:31:18.703317Z","updated":"2026-11-24T12:31:18.703317Z"}\n'
)
EXPORT = {
    **LIST_ERRORS,
    200: {
        "description": "JSON Lines: a header, collections, topics, sources, claims, retired "
        "records, revisions.",
        "content": {"application/jsonl": {"schema": {"type": "string"}, "example": EXAMPLE}},
    },
}


class ExportParameters(Filters):
    """Which records."""

    collection: Slug | None = Field(
        None,
        description="Only the records of this collection (slug), and all that they refer to; "
        "without retired records and revisions.",
    )


@router.get("/export", response_class=Response, responses=EXPORT)
async def export(request: Request, query: Annotated[ExportParameters, Query()]) -> Response:
    """Send everything public from one snapshot as JSON Lines, in an order that can be imported.

    At most two exports are sent at once, one to each client; a further request gets 503 and can be
    repeated later. A client that takes less than 250,000 bytes a second (before compression) is cut
    off.
    """
    require_accepted(request, LINES_TYPES)
    exports: set[str] = request.app.state.exports
    client = client_of(request)
    if client in exports:
        raise Unavailable("An export is being sent to you already. Try again after it.")
    if len(exports) >= AT_ONCE:
        raise Unavailable(f"{AT_ONCE} exports are being sent already. Try again later.")
    exports.add(client)
    reading = reading_by_itself(request.scope, database(request), unlimited=True)
    content = _content(reading, query.collection, partial(exports.discard, client))
    # The generator reads the ETag from the same snapshot as the content. Once started, it releases
    # its connection and its slot when it ends or is closed.
    etag = (await run_in_threadpool(next, content)).decode()
    if unchanged := pagination.not_modified(request, etag):
        content.close()
        return unchanged
    serial = "".join(character for character in etag if character.isdigit())
    of = f"-{query.collection}" if query.collection else ""
    named = f'attachment; filename="claimbase-{serial}{of}.jsonl"'
    headers = {"ETag": etag, "Content-Disposition": named, **pagination.CACHE}
    if request.scope["state"]["head"]:
        content.close()
        return streamed(request, iter(()), headers, LINES_TYPES[0])
    first = await run_in_threadpool(next, content)
    received = to_fast_clients(ahead(_again(first, content)), LEAST_RATE)
    return StreamingResponse(received, media_type=LINES_TYPES[0], headers=headers)


def _again(first: bytes, rest: Generator[bytes]) -> Generator[bytes]:
    """Yield a piece that was read already, then the rest.

    The caller reads the first piece before the response begins, so that an error there still
    becomes an error response.
    """
    with closing(rest):
        yield first
        yield from rest


def _content(
    reading: AbstractContextManager[Connection],
    collection: str | None,
    release: Callable[[], None],
) -> Generator[bytes, None, None]:
    """Yield the ETag, then the export in pieces.

    Each export holds a snapshot as long as its client reads, so only a few may run at once.
    """
    try:
        with reading as connection:
            if collection is not None:
                # An unknown one is told before anything else, also to HEAD.
                references.resolve_references(connection, {"collection": [collection]})
            yield pagination.list_tag(connection).encode()
            yield from pieces(exporting.export_lines(connection, collection))
    finally:
        release()
