"""Look up many claims or lines of evidence by their ids at once."""

from functools import partial
from itertools import chain

from fastapi import APIRouter, Request, Response
from pydantic import Field
from pydantic_core import to_json
from sqlalchemy import Connection, tuple_

from api.http import read_connection, serial_marks
from api.http.errors import LIST_ERRORS, responses
from api.http.negotiation import JsonAccepted
from api.http.read_route import ParsedRoute
from api.http.write_transaction import read_input, taking
from api.routes.claims import Claim
from models.core.types import Shape, Strict, Text
from models.projection import documents
from models.read import listings
from models.read.id_lookup import look_up_ids
from models.records.evidence import EvidenceOut
from models.records.record_types import batches

router = APIRouter(prefix="/v1", dependencies=[JsonAccepted], route_class=ParsedRoute)

MOST_LOOKED_UP = 1000
RESPONSES = {
    **{status: said for status, said in LIST_ERRORS.items() if status != 304},
    **responses(408, 413, 415, 422),
}


class IdsIn(Strict):
    """Ids of records."""

    ids: list[Text] = Field(min_length=1, max_length=MOST_LOOKED_UP)


class LookedUpClaims(Shape):
    """The claims that ids name, in the order of the ids, and the ids that name none."""

    data: list[Claim]
    not_found: list[str]


class LookedUpEvidence(Shape):
    """The lines of evidence that ids name, in the order of the ids, and the ids that name none."""

    data: list[EvidenceOut]
    not_found: list[str]


TAKING = taking(serial_marks.DECLARED, body={"application/json": IdsIn}, required=True)


@router.post(
    "/claims:lookup",
    tags=["claims"],
    response_model=LookedUpClaims,
    responses=RESPONSES,
    openapi_extra=TAKING,
)
async def lookup_claims(request: Request) -> Response:
    """Look up to 1,000 claims up by their ids. The answer says which it did not find.

    Nothing is stored, and no key is needed.
    """
    return await _answer(request, "claim")


@router.post(
    "/evidence:lookup",
    tags=["evidence"],
    response_model=LookedUpEvidence,
    responses=RESPONSES,
    openapi_extra=TAKING,
)
async def lookup_evidence(request: Request) -> Response:
    """Look up to 1,000 lines of evidence up by their ids, those from retracted sources too. The
    answer says which it did not find.

    Nothing is stored, and no key is needed.
    """
    return await _answer(request, "evidence")


async def _answer(request: Request, kind: str) -> Response:
    given = await read_input(request, IdsIn)
    work = partial(_looked_up, kind, given.ids)
    return await read_connection.read(request, work, in_thread=True)


def _looked_up(kind: str, ids: list[str], connection: Connection) -> Response:
    found, not_found = look_up_ids(connection, kind, ids)
    current = list(dict.fromkeys(found.values()))
    texts = dict(chain.from_iterable(map(partial(READ[kind], connection), batches(current))))
    data = b",".join(texts[each] for each in current)
    content = b'{"data":[' + data + b"]," + to_json({"not_found": not_found})[1:]
    return Response(content, media_type="application/json")


def _claims(connection: Connection, ids: list[str]) -> list[tuple[str, bytes]]:
    statement = listings.claims_statement().where(listings.document.c.claim.in_(ids))
    rows = connection.execute(statement).mappings()
    return [(row["claim"], documents.claim_json({**row})) for row in rows]


def _lines(connection: Connection, ids: list[str]) -> list[tuple[str, bytes]]:
    line = listings.line
    keys = [tuple(each.split(":")) for each in ids]
    statement = listings.evidence_statement().where(tuple_(line.c.claim, line.c.key).in_(keys))
    rows = connection.execute(statement).mappings()
    return [(f"{row['claim']}:{row['key']}", row["document"]) for row in rows]


READ = {"claim": _claims, "evidence": _lines}
