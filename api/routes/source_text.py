"""The whole text of a source, where a licence lets it be passed on."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from pydantic_core import PydanticCustomError

from api.citations.json_ld import licence_address
from api.http import pagination
from api.http.auth import needs
from api.http.errors import RECORD_ERRORS
from api.http.negotiation import JsonAccepted
from api.http.read_connection import ThreadReader
from api.http.read_route import ParsedRoute, ReadRoute
from api.http.request_body import read_text
from api.http.write_transaction import (
    IF_MATCH,
    WRITE_ERRORS,
    Answer,
    judged,
    meant,
    taking,
    write,
)
from api.routes.curate import Comment, told
from api.routes.sources import SourceReference
from models.access.api_keys import Key
from models.core.addresses import Licence
from models.core.errors import Fault, InvalidRecord, NotFound
from models.core.types import Text
from models.read import listings
from models.records.record_types import RECORD_TYPES
from models.records.serializers import Row
from models.records.source_text import (
    MAX_TEXT,
    check_whole_text,
    described,
    read_text_of,
    store_text,
)
from models.transfer.quote_check import as_recorded
from models.write import review
from models.write.changes import Change
from models.write.review import RecordOut

router = APIRouter(prefix="/v1/sources", tags=["sources"], route_class=ReadRoute)
writes = APIRouter(
    prefix="/v1/sources",
    tags=["curating"],
    dependencies=[JsonAccepted],
    route_class=ParsedRoute,
)

TEXT = "text/plain"
SOURCE = RECORD_TYPES["source"]
# Who may: the proposer of a source before review, then a curator.
Contributor = Annotated[Key, needs("contributor")]
SourceSlug = Annotated[
    Text, Path(max_length=300, description="The source's slug.", examples=["zamboni-2009-jnnp"])
]


class TextParameters(Comment):
    """The licence of the text, and the reason for the change."""

    licence: Licence = Field(
        description="Under which the text may be passed on: an SPDX expression such as CC-BY-4.0,"
        " or the address of the licence."
    )


@router.get(
    "/{source:reference}/text",
    response_class=Response,
    responses={
        **RECORD_ERRORS,
        200: {
            "content": {TEXT: {"schema": {"type": "string"}}},
            "description": "The text, as it was read when its quotes were recorded.",
        },
    },
)
def get_source_text(
    request: Request, connection: ThreadReader, source: SourceReference
) -> Response:
    """Return the whole text of a source, where one is stored that may be passed on.

    Its licence is in the `Link` header and in the field `text` of the source. The ETag is that of
    the source.
    """
    found = listings.read_referenced_source(connection, source)
    said = found["text"]
    if said is None:
        raise NotFound(
            f"The source '{found['id']}' has no text here that may be passed on;"
            f" its quotes are at /v1/sources/{found['id']}/claims."
        )
    etag = f'"{found["revision"]}"'
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    text = read_text_of(connection, found["id"], said["sha256"])
    assert text is not None, "a source names only a text that is stored"
    headers = {
        "ETag": etag,
        **pagination.CACHE,
        "Link": f'<{licence_address(said["licence"])}>; rel="license"',
    }
    return Response(text, media_type=f"{TEXT}; charset=utf-8", headers=headers)


def _judge(text: str) -> str:
    """Return a text that may be stored. Raises InvalidRecord."""
    try:
        return check_whole_text(text)
    except PydanticCustomError as error:
        fault = Fault(at="", code=error.type, detail=error.message())
        raise InvalidRecord(fault.detail, [fault]) from None


@writes.put(
    "/{source}/text",
    response_model=RecordOut,
    responses=WRITE_ERRORS,
    openapi_extra=taking(
        IF_MATCH,
        body={TEXT: {"type": "string", "maxLength": MAX_TEXT}},
        required=True,
    ),
)
async def replace_source_text(
    request: Request,
    caller: Contributor,
    source: SourceSlug,
    query: Annotated[TextParameters, Query()],
) -> Response:
    """Store the whole text of a source as plain text, under the licence that lets it be passed on.

    It is a change of the source, whose ETag is meant. A text that is the recorded one
    (`text_sha256`) but for its line ends and the like is stored as it was recorded, so that the
    places of quotes hold.
    """
    given = await judged(request, _judge, await read_text(request))

    def work(change: Change) -> Answer:
        old = meant(request, change, caller, SOURCE, source)
        text = as_recorded(given, old["text_sha256"])
        store_text(change.connection, source, text)
        return _with_text(change, caller, old, described(text, query.licence))

    return await write(request, caller, work, query.comment)


@writes.delete(
    "/{source}/text",
    response_model=RecordOut,
    responses=WRITE_ERRORS,
    openapi_extra=taking(IF_MATCH),
)
async def delete_source_text(
    request: Request,
    caller: Contributor,
    source: SourceSlug,
    query: Annotated[Comment, Query()],
) -> Response:
    """Take the whole text of a source back: it is shown no more.

    It is kept for whoever undoes that, until the source is purged.
    """

    def work(change: Change) -> Answer:
        old = meant(request, change, caller, SOURCE, source)
        return _with_text(change, caller, old, None)

    return await write(request, caller, work, query.comment)


def _with_text(change: Change, caller: Key, old: Row, text: Row | None) -> Answer:
    review.replace(change, caller, SOURCE, old["id"], {**old, "text": text})
    return told(SOURCE, old["id"])
