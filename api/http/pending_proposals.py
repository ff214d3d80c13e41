"""What waits for review, added to an answer by `include=submitted` for those who may see it."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from pydantic_core import to_json
from sqlalchemy import Connection

from api.http import pagination
from api.http.auth import KeyRequired
from api.http.errors import ParameterError
from api.http.list_formats import FormatParameters, LinesParameters, wanted
from models.access.api_keys import Key
from models.core.errors import Fault
from models.write import review

SUBMITTED = "submitted"
MOST = 200
ANEW = ("content-length", "content-type")
INCLUDE = (
    "`submitted` adds what waits for review (at most 200, the oldest first; `submitted_more` says whether there is more, "
    "which `/v1/reviews` lists): needs a key."
)


class WithProposals(BaseModel):
    """What `include=submitted` adds to an answer."""

    submitted: list[review.RecordOut] | None = Field(
        default=None, description="What waits for review, where asked for, the oldest first."
    )
    submitted_more: bool | None = Field(
        default=None,
        description="Whether more waits than is listed in `submitted`; `/v1/reviews` lists all.",
    )


def proposals(
    request: Request,
    connection: Connection,
    caller: Key | None,
    query: Any,
    kind: str | None,
    claim: str | None = None,
) -> list[review.RecordOut] | None:
    """Return what waits of a kind (or of all), on a claim (or on all), where `include` asks for it; else None.

    There is one more than is shown where more waits.
    """
    if SUBMITTED not in query.include:
        return None
    if isinstance(query, FormatParameters | LinesParameters) and wanted(request, query) is not None:
        detail = (
            "include=submitted goes with JSON alone; every other format gives what is accepted."
        )
        raise ParameterError(detail, [Fault(at="include", code="invalid_parameter", detail=detail)])
    pagination.make_private(request)
    if caller is None:
        raise KeyRequired("include=submitted needs a key; send it as Authorization: Bearer …")
    statement, conditions = review.waiting(connection, caller)
    asked: Mapping[str, str | None] = {"kind": kind, "claim": claim}
    conditions += [
        review.revision.c[name] == value for name, value in asked.items() if value is not None
    ]
    rows = connection.execute(
        statement.where(*conditions).order_by(review.revision.c.serial).limit(MOST + 1)
    ).mappings()
    return [review.waiting_out(row) for row in rows]


def with_proposals(response: Response, found: list[review.RecordOut] | None) -> Response:
    """Return the answer with the proposals in it."""
    if found is None or response.status_code != 200:
        return response
    # A list that was cut without a word would look like all there is.
    added = to_json({"submitted": found[:MOST], "submitted_more": len(found) > MOST})
    content = bytes(response.body)[:-1] + b"," + added[1:]
    kept = {name: value for name, value in response.headers.items() if name not in ANEW}
    return Response(content, 200, kept, "application/json")
