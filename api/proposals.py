"""What waits for review, added to an answer by `include=submitted` for those who may see it."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic_core import to_json
from sqlalchemy import Connection

from api import pages
from api.citations import FormatParameters, LinesParameters, wanted
from api.deps import KeyRequired
from api.errors import ParameterError
from api.writing import NEVER_KEPT
from models import review
from models.base import Fault
from models.keys import Key

SUBMITTED = "submitted"
MOST = 200
NOT_KEPT = ("cache-control", "content-length", "content-type", "etag")
INCLUDE = "`submitted` adds what waits for review (at most 200, the oldest first): needs a key, see `/v1/reviews`."


def proposals(
    request: Request, connection: Connection, caller: Key | None, query: Any, kind: str | None, claim: str | None = None
) -> list[review.RecordOut] | None:
    """Return what waits of a kind (or of all), on a claim (or on all), where `include` asks for it; else None."""
    if SUBMITTED not in query.include:
        return None
    if isinstance(query, FormatParameters | LinesParameters) and wanted(request, query) is not None:
        detail = "include=submitted goes with JSON alone; every other format gives what is accepted."
        raise ParameterError(detail, [Fault(at="include", code="invalid_parameter", detail=detail)])
    pages.make_private(request)
    if caller is None:
        raise KeyRequired("include=submitted needs a key; send it as Authorization: Bearer …")
    statement, conditions = review.waiting(caller)
    asked: Mapping[str, str | None] = {"kind": kind, "claim": claim}
    conditions += [review.revision.c[name] == value for name, value in asked.items() if value is not None]
    rows = connection.execute(statement.where(*conditions).order_by(review.revision.c.serial).limit(MOST)).mappings()
    return [review.waiting_out(row) for row in rows]


def with_proposals(response: Response, found: list[review.RecordOut] | None) -> Response:
    """Return the answer with the proposals in it; what not everybody may see is kept by nobody."""
    if found is None or response.status_code != 200:
        return response
    content = bytes(response.body)[:-1] + b',"submitted":' + to_json(found) + b"}"
    kept = {name: value for name, value in response.headers.items() if name not in NOT_KEPT}
    return Response(content, 200, {**kept, **NEVER_KEPT}, "application/json")
