"""Look up many sources by their identifiers at once."""

from functools import partial
from itertools import chain

from fastapi import APIRouter, Request, Response
from pydantic import Field
from pydantic_core import to_json
from sqlalchemy import Connection

from api.http import read_connection, serial_marks
from api.http.errors import LIST_ERRORS, responses
from api.http.negotiation import JsonAccepted
from api.http.read_route import ParsedRoute
from api.http.write_transaction import read_input, taking
from models.core.types import Shape, Strict, Text
from models.read.source_lookup import LookedUp, look_up
from models.records.record_types import batches
from models.records.serializers import sources_by_id
from models.records.source import SourceOut

router = APIRouter(
    prefix="/v1", tags=["sources"], dependencies=[JsonAccepted], route_class=ParsedRoute
)

MOST_IDENTIFIERS = 1000
# The bytes of an answer: a source may have a reference list of thousands.
MOST_ANSWER_BYTES = 8_000_000


class LookupIn(Strict):
    """Identifiers in any form in which a path takes one: `doi:…`, an address, a bare PMID."""

    identifiers: list[Text] = Field(min_length=1, max_length=MOST_IDENTIFIERS)


class LookedUpSource(Shape):
    """A source, and the identifiers of the request that name it."""

    given: list[str]
    source: SourceOut


class UnreadableOut(Shape):
    """What is no identifier, and why."""

    given: str
    detail: str


class Lookup(Shape):
    """What became of each identifier: it is named once in all of this."""

    data: list[LookedUpSource]
    not_found: list[str] = Field(description="No source has this identifier.")
    unreadable: list[UnreadableOut] = Field(description="This is no identifier.")
    left_off: list[str] = Field(
        description="The sources that these name would make the answer too large; ask again."
    )


@router.post(
    "/sources:lookup",
    response_model=Lookup,
    responses={
        **{status: said for status, said in LIST_ERRORS.items() if status != 304},
        **responses(408, 413, 415, 422),
    },
    openapi_extra=taking(serial_marks.DECLARED, body={"application/json": LookupIn}, required=True),
)
async def lookup_sources(request: Request) -> Response:
    """Look up to 1,000 sources up by their identifiers. The answer says which it did not find, and
    which are none.

    Nothing is stored, and no key is needed.
    """
    given = await read_input(request, LookupIn)
    work = partial(_answer, given.identifiers)
    return await read_connection.read(request, work, in_thread=True)


def _answer(identifiers: list[str], connection: Connection) -> Response:
    known = look_up(connection, identifiers)
    given: dict[str, list[str]] = {}
    for text, slug in known.found.items():
        given.setdefault(slug, []).append(text)
    texts, left_off = _within_bytes(connection, given)
    rest = to_json({**told(known), "left_off": left_off})
    content = b'{"data":[' + b",".join(texts) + b"]," + rest[1:]
    return Response(content, media_type="application/json")


def told(known: LookedUp) -> dict[str, object]:
    """Return what an answer tells of the identifiers that name no source."""
    return {"not_found": known.not_found, "unreadable": known.unreadable}


def _within_bytes(
    connection: Connection, given: dict[str, list[str]]
) -> tuple[list[bytes], list[str]]:
    """Return the JSON of the sources that fit into an answer, and what names the others."""
    texts: list[bytes] = []
    size = 0
    for slugs in batches(list(given)):
        sources = sources_by_id(connection, slugs)
        for slug in slugs:
            text = to_json({"given": given[slug], "source": sources[slug]})
            size += len(text)
            if size > MOST_ANSWER_BYTES and texts:
                return texts, [*chain(*list(given.values())[len(texts) :])]
            texts.append(text)
    return texts, []
