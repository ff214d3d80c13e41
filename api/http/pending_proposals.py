"""Proposals that wait for review, added to a response by `include=submitted`."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic_core import to_json
from sqlalchemy import Connection

from api.http import pagination
from api.http.auth import KeyRequired
from api.http.errors import ParameterError
from api.http.list_formats import FormatParameters, LinesParameters, requested_format
from models.access.api_keys import Key
from models.core.errors import Fault
from models.core.schema_names import sometimes
from models.core.types import Shape
from models.write import review

SUBMITTED = "submitted"
MOST = 200
# Headers that the response with proposals gets anew.
_REPLACED_HEADERS = ("content-length", "content-type")
INCLUDE = (
    "`submitted` adds what waits for review (at most 200, the oldest first; `submitted_more` says"
    " whether there is more, which `/v1/reviews` lists): needs a key."
)


class WithProposals(Shape):
    """What `include=submitted` adds to an answer."""

    submitted: list[review.RecordOut] | None = sometimes(
        "What waits for review, where asked for, the oldest first."
    )
    submitted_more: bool | None = sometimes(
        "Whether more waits than is listed in `submitted`; `/v1/reviews` lists all."
    )


def proposals(
    request: Request,
    connection: Connection,
    caller: Key | None,
    query: Any,
    kind: str | None,
    claim: str | None = None,
) -> list[review.RecordOut] | None:
    """Return the proposals of a kind (or of all) on a claim (or on all), or None.

    None means that `include` does not ask for them. There is one more than is shown if more wait.
    """
    if SUBMITTED not in query.include:
        return None
    if (
        isinstance(query, FormatParameters | LinesParameters)
        and requested_format(request, query) is not None
    ):
        detail = (
            "include=submitted goes with JSON alone; every other format gives what is accepted."
        )
        raise ParameterError(detail, [Fault(at="include", code="invalid_parameter", detail=detail)])
    pagination.make_private(request)
    if caller is None:
        raise KeyRequired("include=submitted needs a key; send it as Authorization: Bearer …")
    statement, conditions = review.pending_query(connection, caller)
    if kind is not None:
        conditions.append(review.revision.c.kind == kind)
    if claim is not None:
        conditions.append(review.revision.c.root == claim)
    statement = statement.where(*conditions).order_by(review.revision.c.serial).limit(MOST + 1)
    return [
        review.describe_proposal(connection, row)
        for row in connection.execute(statement).mappings()
    ]


def with_proposals(response: Response, waiting: list[review.RecordOut] | None) -> Response:
    """Return a JSON response with the proposals added to its object."""
    if waiting is None or response.status_code != 200:
        return response
    # `submitted_more` says that the list was cut, or it would look complete.
    members = to_json({"submitted": waiting[:MOST], "submitted_more": len(waiting) > MOST})
    content = bytes(response.body)[:-1] + b"," + members[1:]
    headers = {
        name: value for name, value in response.headers.items() if name not in _REPLACED_HEADERS
    }
    return Response(content, 200, headers, "application/json")
