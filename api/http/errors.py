"""Domain errors → one shape: RFC 9457 problem+json, for every answer that is not a success."""

import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import Field
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from models.access.api_keys import redact_keys
from models.core.errors import MOST_FAULTS, ClaimbaseError, Fault, NotFound, validation_faults
from models.core.schema_names import NULL_OR_ABSENT, named, sometimes
from models.core.types import Shape
from models.core.vocabulary import Term, Vocabulary
from models.database.connections import READ_ONLY, ReadOnly
from models.database.driver_errors import (
    is_damaged,
    is_read_only,
    is_storage_full,
    is_timeout,
    is_unavailable,
)
from models.records.retired import Moved

MEDIA_TYPE = "application/problem+json"
# What a text of an error may have: names and values of the request stand in it, which may have a
# megabyte each.
MOST_CHARACTERS = 2000
UNAVAILABLE = (
    "The database cannot be reached, is busy, or is not migrated (claimbase migrate)."
    " Try again later."
)
log = logging.getLogger("claimbase.database")


@dataclass(frozen=True)
class ProblemType:
    """A kind of error: its code and meaning, and the status and headers of the response."""

    code: str
    status: int
    title: str
    definition: str
    headers: Mapping[str, str] = field(default_factory=dict)


# Caches may keep a 308 or a 410 for ever by default, but a merger or a retraction can be undone.
_NOT_FOR_EVER = {"Cache-Control": "no-cache"}
_AFTER_A_SECOND = {"Retry-After": "1"}
_AFTER_SECONDS = {"Retry-After": "5"}
_AFTER_A_MINUTE = {"Retry-After": "60"}


def _challenge(more: str = "") -> dict[str, str]:
    """Return the header that says what a client's key lacks (RFC 6750 section 3)."""
    return {"WWW-Authenticate": f'Bearer realm="claimbase"{more}'}


_EXPIRED = ', error="invalid_token", error_description="The key is expired."'
PROBLEM_TYPES = {
    problem_type.code: problem_type
    for problem_type in (
        ProblemType(
            "invalid_parameter",
            400,
            "invalid parameter",
            "A parameter has a value that will not do; `errors` names it.",
        ),
        ProblemType(
            "unknown_parameter",
            400,
            "unknown parameter",
            "There is no such parameter here; `errors` offers the nearest.",
        ),
        ProblemType(
            "unknown_value", 400, "unknown value", "A parameter names a record that is not stored."
        ),
        ProblemType(
            "malformed_identifier", 400, "malformed identifier", "Not a DOI, PMID, PMCID or ISBN."
        ),
        ProblemType(
            "bad_entity_tag",
            400,
            "bad entity tag",
            "If-Match holds entity tags in quotation marks, as ETag does.",
        ),
        ProblemType(
            "bad_cursor",
            400,
            "bad cursor",
            "The cursor is damaged, or belongs to another list, other filters or another sort.",
        ),
        ProblemType(
            "bad_encoding", 400, "bad encoding", "The address is not percent-encoded UTF-8."
        ),
        ProblemType(
            "address_too_long",
            414,
            "address too long",
            "Path and query have more than 8,192 bytes.",
        ),
        ProblemType(
            "body_too_large",
            413,
            "body too large",
            "The request's body has more than 2,000,000 bytes.",
        ),
        ProblemType(
            "headers_too_large",
            431,
            "headers too large",
            "The address, headers and trailers of the request are too long, or too many.",
        ),
        ProblemType(
            "malformed_request", 400, "malformed request", "This is not HTTP as it should be."
        ),
        ProblemType(
            "request_timeout",
            408,
            "request timeout",
            "The request, or its body, was not complete in time.",
            {"Connection": "close"},
        ),
        ProblemType(
            "unsupported_media_type",
            415,
            "unsupported media type",
            "The body is not of a type that is taken here.",
        ),
        ProblemType(
            "malformed_json",
            400,
            "malformed JSON",
            "The body is not JSON, or JSON that could mean two things.",
        ),
        ProblemType(
            "key_required",
            401,
            "key required",
            "This needs a key: Authorization: Bearer and the key.",
            _challenge(),
        ),
        ProblemType(
            "invalid_key",
            401,
            "invalid key",
            "The key is mistyped, unknown or revoked.",
            _challenge(', error="invalid_token"'),
        ),
        ProblemType(
            "expired_key",
            401,
            "expired key",
            "The key was good, and its time is over.",
            _challenge(_EXPIRED),
        ),
        ProblemType(
            "forbidden",
            403,
            "forbidden",
            "The key is good, but its owner may not do this.",
            _challenge(', error="insufficient_scope"'),
        ),
        ProblemType(
            "origin_refused",
            403,
            "origin refused",
            "Pages of this origin may not ask here; the server's settings name those that may.",
        ),
        ProblemType(
            "missing_extra",
            501,
            "missing extra",
            "This needs an optional library that is not installed on the server; `detail` says"
            " which.",
        ),
        ProblemType(
            "misdirected",
            421,
            "misdirected",
            "This is not asked for by that name; the server's settings name the hosts.",
        ),
        ProblemType(
            "too_many_requests",
            429,
            "too many requests",
            "A limit is used up; Retry-After says when to come back.",
        ),
        ProblemType(
            "invalid_record",
            422,
            "invalid record",
            "A record breaks a rule; `errors` names the field.",
        ),
        ProblemType(
            "too_complex",
            422,
            "too complex",
            "The file takes more than one may have; `entries` has what was read until then.",
        ),
        ProblemType(
            "not_yet_stated", 404, "not yet stated", "The claim was not stated by the day `as_of`."
        ),
        ProblemType(
            "not_yet_recorded",
            404,
            "not yet recorded",
            "The claim was not recorded here by the time `known_at`.",
        ),
        ProblemType(
            "gone",
            410,
            "gone",
            "The record was retracted; the detail says why, `errors` what stands in its place.",
            _NOT_FOR_EVER,
        ),
        ProblemType(
            "moved",
            308,
            "moved",
            "The record was merged into another, or the address ends with a slash too many;"
            " `Location` leads there.",
            _NOT_FOR_EVER,
        ),
        ProblemType(
            "conflict", 409, "conflict", "What is stored stands against it; the detail says what."
        ),
        ProblemType(
            "already_exists",
            409,
            "already exists",
            "There is such a record already, or its id is taken.",
        ),
        ProblemType(
            "precondition_required",
            428,
            "precondition required",
            "Send If-Match with the ETag that you read.",
        ),
        ProblemType(
            "precondition_failed",
            412,
            "precondition failed",
            "The record was changed since; read it again.",
        ),
        ProblemType(
            "idempotency_key_reused",
            422,
            "idempotency key reused",
            "The same key came with another request.",
        ),
        ProblemType("not_found", 404, "not found", "There is no such record or path."),
        ProblemType(
            "method_not_allowed",
            405,
            "method not allowed",
            "The path exists; `Allow` lists its methods.",
        ),
        ProblemType(
            "not_acceptable",
            406,
            "not acceptable",
            "None of the accepted media types is offered; `errors` lists what is.",
            {"Vary": "Accept"},
        ),
        ProblemType(
            "storage_full",
            507,
            "storage full",
            "There is no room left to write; reading goes on.",
            _AFTER_A_MINUTE,
        ),
        ProblemType(
            "unavailable",
            503,
            "unavailable",
            "The database cannot be reached or is not migrated; try again.",
            _AFTER_SECONDS,
        ),
        ProblemType(
            "read_only",
            503,
            "read only",
            "The database here takes no writes; `detail` says where to write. Reading goes on.",
            _AFTER_SECONDS,
        ),
        ProblemType(
            "behind",
            503,
            "behind",
            "No server has reached the serial that was asked for, or was seen before; try again.",
            _AFTER_A_SECOND,
        ),
        ProblemType(
            "damaged",
            503,
            "damaged",
            "The database is damaged; nothing is written until a good one is in its place.",
            _AFTER_A_MINUTE,
        ),
        ProblemType(
            "too_slow",
            503,
            "too slow",
            "The database was asked for more than it could find in time; ask for less.",
            _AFTER_SECONDS,
        ),
        ProblemType(
            "internal_error", 500, "internal error", "A fault of ours; tell us the request_id."
        ),
        ProblemType("http_error", 400, "other error", "Any other error of HTTP."),
    )
}
PROBLEMS = Vocabulary(
    "problems",
    "Problems",
    "The codes that an answer with an error may carry; `type` points here.",
    tuple(Term(kind.code, kind.title, kind.definition) for kind in PROBLEM_TYPES.values()),
    reference="RFC 9457, Problem Details for HTTP APIs",
)


class ProblemError(Shape):
    """One thing that is wrong."""

    parameter: str | None = Field(
        default=None,
        json_schema_extra=NULL_OR_ABSENT,
        description="Name of the query or path parameter.",
    )
    pointer: str | None = Field(
        default=None,
        json_schema_extra=NULL_OR_ABSENT,
        description="JSON Pointer into the request's body.",
    )
    code: str
    detail: str
    allowed: list[str] = Field(default=[], description="Valid values.")
    suggestion: str | None = Field(
        default=None, json_schema_extra=NULL_OR_ABSENT, description="The nearest valid value."
    )


Code = Annotated[str, named("ProblemCode", PROBLEMS.definition, enum=[*PROBLEM_TYPES])]


class Problem(Shape):
    """What went wrong and what to do (RFC 9457)."""

    type: str = Field(description="Where the code is explained.")
    title: str
    status: int
    detail: str
    code: Code
    errors: list[ProblemError] = Field(
        default=[], description=f"What is wrong; at most {MOST_FAULTS} are listed."
    )
    more_errors: int | None = sometimes("How many errors there are that are not listed.")
    request_id: str


def problem_body(
    code: str,
    detail: str,
    errors: Sequence[ProblemError] = (),
    request_id: str = "",
    status: int | None = None,
    more_errors: int = 0,
) -> Problem:
    """Return the body of an error response.

    It gets an id of its own if it belongs to no request.
    """
    return Problem(
        type=f"/v1/vocabularies/{PROBLEMS.name}#{code}",
        title=PROBLEM_TYPES[code].title,
        status=status or PROBLEM_TYPES[code].status,
        detail=_shortened(detail),
        code=code,
        errors=list(errors),
        more_errors=more_errors or None,
        request_id=request_id or uuid.uuid4().hex,
    )


def problem(
    request: Request,
    code: str,
    detail: str,
    errors: Sequence[ProblemError] = (),
    headers: Mapping[str, str] | None = None,
    status: int | None = None,
    more_errors: int = 0,
    members: bytes = b"",
) -> Response:
    """Return an error response; its status is the code's unless `status` says another.

    `more_errors` counts what `errors` leaves out. `members` are extension members (RFC 9457 section
    3.2) as JSON, each with a comma before it.
    """
    state = request.scope.setdefault("state", {})
    body = problem_body(code, detail, errors, state.get("request_id", ""), status, more_errors)
    # A client may see its own input again, but not a key in the wrong place: responses are stored
    # and passed on.
    content = to_json(body, exclude_none=True)[:-1] + members + b"}"
    content = redact_keys(content.decode()).encode()
    state.setdefault("denied", code)
    sent = {**PROBLEM_TYPES[code].headers, **(headers or {})}
    if _wants_page(request):
        shown: Response = request.app.state.error_page(request, content, body.status, sent)
        return shown
    return Response(content, status_code=body.status, media_type=MEDIA_TYPE, headers=sent)


def _wants_page(request: Request) -> bool:
    """Return whether a browser asks for a page: errors of the API are never pages."""
    is_page = not request.url.path.startswith("/v1")
    return is_page and "text/html" in request.headers.get("accept", "")


class ParameterError(ClaimbaseError):
    """A parameter that will not do."""

    code = "invalid_parameter"


class NotAcceptable(ClaimbaseError):
    """Nothing that the client accepts is offered here."""

    code = "not_acceptable"


def not_acceptable(
    offered: Sequence[str], header: str = "Accept", what: str = "media types"
) -> NotAcceptable:
    """Return the error that says what is offered."""
    fault = Fault(
        at=header,
        code="not_acceptable",
        detail="None of it is offered here.",
        allowed=list(offered),
    )
    return NotAcceptable(
        f"None of the {what} in {header} is offered here; errors lists what is.", [fault]
    )


class Unavailable(ClaimbaseError):
    """The database is there but cannot be used."""

    code = "unavailable"


def on_domain_error(request: Request, error: ClaimbaseError) -> Response:
    """Return the response to an error of the domain."""
    if isinstance(error, NotFound) and (address := _without_slash(request)) is not None:
        # The reference of a source may have slashes, also at its end.
        return _led_on(request, address)
    errors = [of_fault(fault) for fault in error.faults]
    headers = {"Location": _moved(request, error)} if isinstance(error, Moved) else {}
    request.state.denied = getattr(error, "reason", error.code)
    detail = error.detail
    if isinstance(error, ReadOnly):
        detail = read_only_detail(request)
    return problem(request, error.code, detail, errors, headers, more_errors=error.more)


def read_only_detail(request: Request) -> str:
    """Return what the client is told whose write meets a database that takes none."""
    address = request.app.state.settings.write_url
    if address is None:
        return f"{READ_ONLY} Send it to the server of the primary, or try again later."
    return f"{READ_ONLY} Send it to {address}."


def _moved(request: Request, error: Moved) -> str:
    """Return the same address with the id of the record that replaces the merged one.

    The path parameter of a record's id has the name of its kind.
    """
    path = request.scope["route"].path_format.format(
        **{**request.path_params, error.kind.name: error.new}
    )
    query = _query(request)
    return quote(path, safe="/:@") + (f"?{query}" if query else "")


def _query(request: Request) -> str:
    """Return the query of a request as it was sent, for the address to which it is led on."""
    query: str = request.scope["query_string"].decode("latin-1")
    taken = request.scope.get("state", {}).get("min_serial")
    return query if taken is None else "&".join(filter(None, (query, f"min_serial={taken}")))


def of_fault(fault: Fault) -> ProblemError:
    """Return a fault as an answer names it."""
    # A JSON Pointer begins with a slash, which no parameter's name does.
    place = {"pointer" if fault.at.startswith("/") else "parameter": _shortened(fault.at)}
    return ProblemError(
        **place,
        code=fault.code,
        detail=_shortened(fault.detail),
        allowed=fault.allowed,
        suggestion=fault.suggestion,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def on_validation_error(request: Request, error: RequestValidationError) -> Response:
    """Return the response to invalid parameters, with the valid names or values."""
    errors = error.errors()
    located = [{**entry, "loc": entry["loc"][1:]} for entry in errors[:MOST_FAULTS]]
    faults = [
        _unknown(fault) if fault.code == "unknown_field" else _of_value(fault)
        for fault in validation_faults(located, _parameters(request))
    ]
    first = faults[0]
    code = "unknown_parameter" if first.code == "unknown_parameter" else "invalid_parameter"
    detail = first.detail if code == "unknown_parameter" else f"{first.at}: {first.detail}"
    hint = f" Did you mean '{first.suggestion}'?" if first.suggestion else ""
    told = [of_fault(fault) for fault in faults]
    return problem(request, code, detail + hint, told, more_errors=len(errors) - len(told))


def _of_value(fault: Fault) -> Fault:
    return fault.model_copy(update={"at": fault.at.split("/")[0]})


def _unknown(fault: Fault) -> Fault:
    return fault.model_copy(
        update={"code": "unknown_parameter", "detail": f"There is no parameter '{fault.at}' here."}
    )


def _parameters(request: Request) -> list[str]:
    """Return the names of the query parameters of the route that was asked for."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    models = [
        query.field_info.annotation for query in (dependant.query_params if dependant else ())
    ]
    return [info.alias or name for model in models for name, info in model.model_fields.items()]


def on_http_error(request: Request, error: HTTPException) -> Response:
    """Return the response to an error that Starlette raised: unknown path, wrong method."""
    headers = dict(error.headers or {})
    if error.status_code == 404:
        if (address := _without_slash(request)) is not None:
            return _led_on(request, address)
        return problem(
            request,
            "not_found",
            f"There is nothing at {request.url.path}; see /v1 for what there is.",
        )
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request))
        return problem(
            request, "method_not_allowed", f"{request.method} is not offered here.", headers=headers
        )
    return problem(request, "http_error", error.detail, headers=headers, status=error.status_code)


def _led_on(request: Request, address: str) -> Response:
    detail = "The address ends with a slash too many."
    return problem(request, "moved", detail, headers={"Location": address})


def _without_slash(request: Request) -> str | None:
    """Return the address of the API without the slashes that its path ends with, if there is a
    route at it. Pages have their own way to lead on.
    """
    path = request.scope["path"]
    shorter = path.rstrip("/")
    if shorter == path or not path.startswith("/v1/"):
        return None
    routes = request.app.router.routes
    if not any(route.path_regex.match(shorter) for route in routes if hasattr(route, "path_regex")):
        return None
    query = _query(request)
    return quote(shorter, safe="/:@") + (f"?{query}" if query else "")


def _allowed(request: Request) -> list[str]:
    """Return the methods of a path.

    Each method is a route of its own, and the router names those of the first route alone.
    """
    route = request.scope.get("route")
    if route is not None and not getattr(route, "include_in_schema", True):
        # What is not in the document, such as a page, has one route.
        return _with_head(sorted(route.methods))
    paths: dict[str, Any] = request.app.openapi()["paths"]
    fitting = [
        path
        for path in paths
        if re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(path)), request.url.path)
    ]
    # `/v1/claims/facets` fits `/v1/claims/{claim}` too; the path with the most literal text wins.
    meant = max(fitting, key=lambda path: len(re.sub(r"{\w+}", "", path)), default=None)
    # What is a file, such as those of the docs page, is there to be read.
    return _with_head([method.upper() for method in paths[meant]] if meant else ["GET"])


def _with_head(methods: Sequence[str]) -> list[str]:
    """Return methods, with HEAD where GET is, which answers it; see `api.http.middleware`."""
    return (
        ["GET", "HEAD", *(method for method in methods if method != "GET")]
        if "GET" in methods
        else list(methods)
    )


def on_database_error(request: Request, error: DBAPIError | PoolTimeout) -> Response:
    """Return the response if the database is unreachable, full or too slow.

    Any other error of the database is a bug of ours.
    """
    code, detail = database_problem(error, request.state.request_id)
    if code == ReadOnly.code:
        detail = read_only_detail(request)
    return problem(request, code, detail)


def database_problem(error: DBAPIError | PoolTimeout, request_id: str) -> tuple[str, str]:
    """Return the code and the detail of an error of the database, and log its cause.

    Raises the error itself if it is a bug of ours.
    """
    code, detail = "unavailable", UNAVAILABLE
    if isinstance(error, DBAPIError):
        if is_timeout(error):
            code, detail = (
                "too_slow",
                "This takes longer than the server lets a question take. Ask for less of it.",
            )
        elif is_storage_full(error):
            code, detail = (
                "storage_full",
                "There is no room left to write; reading goes on. Try again later.",
            )
        elif is_read_only(error):
            code, detail = ReadOnly.code, READ_ONLY
        elif is_damaged(error):
            code, detail = (
                "damaged",
                "The database is damaged where this is stored. Whoever runs the server must put a"
                " good one in its place.",
            )
        elif not is_unavailable(error):
            raise error
    # What it is exactly is for whoever runs this, not for whoever asks.
    cause = getattr(error, "orig", error)
    log.warning(
        code,
        extra={"request_id": request_id, "cause": f"{type(cause).__name__}: {cause}"},
    )
    return code, detail


HANDLERS: dict[type[Exception], Callable[[Request, Any], Response]] = {
    ClaimbaseError: on_domain_error,
    RequestValidationError: on_validation_error,
    HTTPException: on_http_error,
    DBAPIError: on_database_error,
    PoolTimeout: on_database_error,
}


def response_to(request: Request, error: Exception) -> Response:
    """Return the response to an error of one of the kinds in `HANDLERS`."""
    handler = next(handle for kind, handle in HANDLERS.items() if isinstance(error, kind))
    return handler(request, error)


def install(app: FastAPI) -> None:
    """Attach the handlers. `ServerErrorMiddleware` answers all other errors with a 500."""
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, _in_event_loop(handler))


def _in_event_loop(
    handler: Callable[[Request, Any], Response],
) -> Callable[[Request, Any], Awaitable[Response]]:
    """Return a handler as a coroutine.

    Starlette calls an ordinary function in a thread, which takes longer.
    """

    async def handle(request: Request, error: Any) -> Response:
        return handler(request, error)

    return handle


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
