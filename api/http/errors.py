"""Domain errors → one shape: RFC 9457 problem+json, for every answer that is not a success."""

import logging
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, get_origin
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from models.access.api_keys import redact_keys
from models.core.errors import ClaimbaseError, Fault, validation_faults
from models.core.vocabulary import Term, Vocabulary
from models.database.driver_errors import cut_off, storage_full, unusable
from models.records.retired import Moved

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("claimbase.database")

PROBLEMS = Vocabulary(
    "problems",
    "Problems",
    "The codes that an answer with an error may carry; `type` points here.",
    (
        Term(
            "invalid_parameter",
            "invalid parameter",
            "A parameter has a value that will not do; `errors` names it.",
        ),
        Term(
            "unknown_parameter",
            "unknown parameter",
            "There is no such parameter here; `errors` offers the nearest.",
        ),
        Term("unknown_value", "unknown value", "A parameter names a record that is not stored."),
        Term("malformed_identifier", "malformed identifier", "Not a DOI, PMID, PMCID or ISBN."),
        Term(
            "bad_cursor",
            "bad cursor",
            "The cursor is damaged, or belongs to another list, other filters or another sort.",
        ),
        Term("bad_encoding", "bad encoding", "The address is not percent-encoded UTF-8."),
        Term("address_too_long", "address too long", "Path and query have more than 8,192 bytes."),
        Term(
            "body_too_large", "body too large", "The request's body has more than 2,000,000 bytes."
        ),
        Term("malformed_request", "malformed request", "This is not HTTP as it should be."),
        Term(
            "request_timeout",
            "request timeout",
            "The request, or its body, was not complete in time.",
        ),
        Term(
            "unsupported_media_type",
            "unsupported media type",
            "The body is not of a type that is taken here.",
        ),
        Term(
            "malformed_json",
            "malformed JSON",
            "The body is not JSON, or JSON that could mean two things.",
        ),
        Term(
            "key_required", "key required", "This needs a key: Authorization: Bearer and the key."
        ),
        Term("invalid_key", "invalid key", "The key is mistyped, unknown or revoked."),
        Term("expired_key", "expired key", "The key was good, and its time is over."),
        Term("forbidden", "forbidden", "The key is good, but its owner may not do this."),
        Term(
            "too_many_requests",
            "too many requests",
            "A limit is used up; Retry-After says when to come back.",
        ),
        Term(
            "invalid_record", "invalid record", "A record breaks a rule; `errors` names the field."
        ),
        Term("not_yet_stated", "not yet stated", "The claim was not stated by the day `as_of`."),
        Term(
            "not_yet_recorded",
            "not yet recorded",
            "The claim was not recorded here by the time `known_at`.",
        ),
        Term(
            "gone",
            "gone",
            "The record was retracted; the detail says why, `errors` what stands in its place.",
        ),
        Term("moved", "moved", "The record was merged into another; `Location` leads there."),
        Term("conflict", "conflict", "What is stored stands against it; the detail says what."),
        Term(
            "already_exists",
            "already exists",
            "There is such a record already, or its id is taken.",
        ),
        Term(
            "precondition_required",
            "precondition required",
            "Send If-Match with the ETag that you read.",
        ),
        Term(
            "precondition_failed",
            "precondition failed",
            "The record was changed since; read it again.",
        ),
        Term(
            "idempotency_key_reused",
            "idempotency key reused",
            "The same key came with another request.",
        ),
        Term("not_found", "not found", "There is no such record or path."),
        Term(
            "method_not_allowed",
            "method not allowed",
            "The path exists; `Allow` lists its methods.",
        ),
        Term(
            "not_acceptable",
            "not acceptable",
            "None of the accepted media types is offered; `errors` lists what is.",
        ),
        Term("storage_full", "storage full", "There is no room left to write; reading goes on."),
        Term(
            "unavailable",
            "unavailable",
            "The database cannot be reached or is not migrated; try again.",
        ),
        Term(
            "too_slow",
            "too slow",
            "The database was asked for more than it could find in time; ask for less.",
        ),
        Term("internal_error", "internal error", "A fault of ours; tell us the request_id."),
        Term("http_error", "other error", "Any other error of HTTP."),
    ),
    reference="RFC 9457, Problem Details for HTTP APIs",
)


class ProblemError(BaseModel):
    """One thing that is wrong."""

    parameter: str | None = Field(default=None, description="Name of the query or path parameter.")
    pointer: str | None = Field(default=None, description="JSON Pointer into the request's body.")
    code: str
    detail: str
    allowed: list[str] = Field(default=[], description="Valid values.")
    suggestion: str | None = Field(default=None, description="The nearest valid value.")


class Problem(BaseModel):
    """What went wrong and what to do (RFC 9457)."""

    type: str = Field(description="Where the code is explained.")
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemError] = []
    request_id: str


def problem_body(
    status: int, code: str, detail: str, errors: Sequence[ProblemError] = (), request_id: str = ""
) -> Problem:
    """Return the one shape of errors; with an id of its own where it never became a request."""
    return Problem(
        type=f"/v1/vocabularies/{PROBLEMS.name}#{code}",
        title=next(term.label for term in PROBLEMS.terms if term.id == code),
        status=status,
        detail=detail,
        code=code,
        errors=list(errors),
        request_id=request_id or uuid.uuid4().hex,
    )


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    errors: Sequence[ProblemError] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """Return an answer in the one shape of errors."""
    body = problem_body(
        status, code, detail, errors, request.scope.get("state", {}).get("request_id", "")
    )
    # What a client sent may be shown to it again, but a key in the wrong place is not: answers are kept and passed on.
    content = redact_keys(to_json(body, exclude_none=True).decode()).encode()
    request.scope.setdefault("state", {}).setdefault("denied", code)
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers=headers)


class ParameterError(ClaimbaseError):
    """A parameter that will not do."""

    code = "invalid_parameter"


class NotAcceptable(ClaimbaseError):
    """Nothing that the client accepts is offered here."""

    code = "not_acceptable"


def not_acceptable(offered: Sequence[str]) -> NotAcceptable:
    """Return the error that says what is offered."""
    fault = Fault(
        at="Accept",
        code="not_acceptable",
        detail="None of it is offered here.",
        allowed=list(offered),
    )
    return NotAcceptable(
        "None of the media types in Accept is offered here; errors lists what is.", [fault]
    )


class Unavailable(ClaimbaseError):
    """The database is there but cannot be used."""

    code = "unavailable"


STATUS_OF_CODE = {
    "key_required": 401,
    "invalid_key": 401,
    "expired_key": 401,
    "forbidden": 403,
    "moved": 308,
    "conflict": 409,
    "already_exists": 409,
    "gone": 410,
    "precondition_failed": 412,
    "precondition_required": 428,
    "idempotency_key_reused": 422,
    "request_timeout": 408,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "too_many_requests": 429,
    "unavailable": 503,
    "storage_full": 507,
    "not_found": 404,
    "not_yet_stated": 404,
    "not_yet_recorded": 404,
    "not_acceptable": 406,
    "invalid_record": 422,
}


HEADERS_OF_STATUS = {
    # By themselves both may be kept for ever, but a merger or a retraction can be undone.
    308: {"Cache-Control": "no-cache"},
    410: {"Cache-Control": "no-cache"},
    406: {"Vary": "Accept"},
    408: {"Connection": "close"},
    503: {"Retry-After": "5"},
    507: {"Retry-After": "60"},
}
# How a client is told what its key lacks (RFC 6750 section 3).
_BEARER = 'Bearer realm="claimbase"'
CHALLENGES = {
    "key_required": _BEARER,
    "invalid_key": f'{_BEARER}, error="invalid_token"',
    "expired_key": f'{_BEARER}, error="invalid_token", error_description="The key is expired."',
    "forbidden": f'{_BEARER}, error="insufficient_scope"',
}


def on_domain_error(request: Request, error: Exception) -> Response:
    """Render an error of the domain: 404 where a record is missing, else 400."""
    assert isinstance(error, ClaimbaseError)
    status = STATUS_OF_CODE.get(error.code, 400)
    errors = [_of_fault(fault) for fault in error.faults]
    headers = dict(HEADERS_OF_STATUS.get(status, {}))
    if error.code in CHALLENGES:
        headers["WWW-Authenticate"] = CHALLENGES[error.code]
    if isinstance(error, Moved):
        headers["Location"] = _moved(request, error)
    request.state.denied = getattr(error, "reason", error.code)
    return problem(request, status, error.code, error.detail, errors, headers)


def _moved(request: Request, error: Moved) -> str:
    """Return the same address with the record that stands in its place: a path calls the id of a record by its kind."""
    path = request.scope["route"].path_format.format(
        **{**request.path_params, error.kind.name: error.new}
    )
    return quote(path, safe="/:@") + (f"?{request.url.query}" if request.url.query else "")


def _of_fault(fault: Fault) -> ProblemError:
    # A JSON Pointer begins with a slash, which no parameter's name does.
    place = {"pointer" if fault.at.startswith("/") else "parameter": fault.at}
    return ProblemError(
        **place,
        code=fault.code,
        detail=fault.detail,
        allowed=fault.allowed,
        suggestion=fault.suggestion,
    )


def on_validation_error(request: Request, error: Exception) -> Response:
    """Render all that FastAPI found wrong with parameters, with the valid names or values."""
    assert isinstance(error, RequestValidationError)
    faults = validation_faults(
        ({**each, "loc": each["loc"][1:]} for each in error.errors()), _parameters(request)
    )
    named = [
        _unknown(fault) if fault.code == "unknown_field" else _of_value(fault) for fault in faults
    ]
    first = named[0]
    code = "unknown_parameter" if first.code == "unknown_parameter" else "invalid_parameter"
    detail = first.detail if code == "unknown_parameter" else f"{first.at}: {first.detail}"
    hint = f" Did you mean '{first.suggestion}'?" if first.suggestion else ""
    return problem(request, 400, code, detail + hint, [_of_fault(fault) for fault in named])


def _of_value(fault: Fault) -> Fault:
    return fault.model_copy(update={"at": fault.at.split("/")[0]})


def _unknown(fault: Fault) -> Fault:
    return fault.model_copy(
        update={"code": "unknown_parameter", "detail": f"There is no parameter '{fault.at}' here."}
    )


async def check_names(request: Request) -> None:
    """Refuse what FastAPI lets pass: a parameter where a route has none, and one given twice of which it takes one."""
    known = _parameters(request)
    faults = []
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if not known:
            faults.append(_unknown(Fault(at=name, code="unknown_field", detail="")))
        elif times > 1 and known.get(name) is False:
            detail = f"'{name}' is given {times} times; it takes one value."
            faults.append(Fault(at=name, code="repeated_parameter", detail=detail))
    if faults:
        raise ParameterError(faults[0].detail, faults, code=None if known else "unknown_parameter")


def _parameters(request: Request) -> dict[str, bool]:
    """Return the names of the query parameters of the route that was asked for, each with whether it takes several values."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    names: dict[str, bool] = {}
    for field in dependant.query_params if dependant else ():
        for name, info in field.field_info.annotation.model_fields.items():
            names[info.alias or name] = get_origin(info.annotation) is list
    return names


def on_http_error(request: Request, error: Exception) -> Response:
    """Render an error that Starlette raised: unknown path, wrong method."""
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    details = {
        404: f"There is nothing at {request.url.path}; see /v1 for what there is.",
        405: f"{request.method} is not offered here.",
    }
    code = codes.get(error.status_code, "http_error")
    detail = details.get(error.status_code, error.detail)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request))
    return problem(request, error.status_code, code, detail, headers=headers)


def _allowed(request: Request) -> list[str]:
    """Return the methods of a path. Each is a route of its own, and the router names those of the first one alone."""
    paths: dict[str, Any] = request.app.openapi()["paths"]
    fitting = [
        path
        for path in paths
        if re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(path)), request.url.path)
    ]
    # `/v1/claims/facets` is also a `/v1/claims/{claim}`; the path with the most text of its own is the one that is meant.
    meant = max(fitting, key=lambda path: len(re.sub(r"{\w+}", "", path)), default=None)
    # What is not in the document, such as the docs page, is there to be read.
    methods = [method.upper() for method in paths[meant]] if meant else ["GET"]
    # A HEAD is answered as the GET would be; see `api.envelope`.
    return (
        ["GET", "HEAD", *(each for each in methods if each != "GET")]
        if "GET" in methods
        else methods
    )


def on_database_error(request: Request, error: Exception) -> Response:
    """Say that the database is gone or full, where it is; any other database error is a fault of ours and goes on."""
    cause = getattr(error, "orig", error)
    status, code = 503, "unavailable"
    detail = "The database cannot be reached, is busy, or is not migrated (claimbase migrate). Try again later."
    if isinstance(error, DBAPIError):
        if cut_off(error):
            code, detail = (
                "too_slow",
                "This takes longer than the server lets a question take. Ask for less of it.",
            )
        elif storage_full(error):
            status, code = 507, "storage_full"
            detail = "There is no room left to write; reading goes on. Try again later."
        elif not unusable(error):
            raise error
    # What it is exactly is for whoever runs this, not for whoever asks.
    log.warning(
        code,
        extra={"request_id": request.state.request_id, "cause": f"{type(cause).__name__}: {cause}"},
    )
    return problem(request, status, code, detail, headers=HEADERS_OF_STATUS[status])


def install(app: FastAPI) -> None:
    """Attach the handlers; a fault that none of them knows becomes a 500 in `api.envelope`."""
    app.add_exception_handler(ClaimbaseError, on_domain_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(DBAPIError, on_database_error)
    app.add_exception_handler(PoolTimeout, on_database_error)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the declaration of these errors for OpenAPI."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


_UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Not Modified: the client has this version."}
}
PLAIN_ERRORS = responses(400, 414, 500, 503)
LIST_ERRORS = {**_UNCHANGED, **responses(406), **PLAIN_ERRORS}
# A record may be missing, was taken back, or was merged into another.
RECORD_ERRORS = {**LIST_ERRORS, **responses(308, 404, 410)}
# Of a route that needs a key.
KEY_ERRORS = {**responses(401, 403, 406, 429), **PLAIN_ERRORS}
