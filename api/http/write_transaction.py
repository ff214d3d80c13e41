"""How a write over HTTP goes: the version it is about, a repetition that is told from a second write, one transaction."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, ParamSpec, TypeVar

from fastapi import Request
from fastapi.responses import Response
from pydantic_core import to_json
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from api.http.errors import KEY_ERRORS, responses
from api.http.pagination import header
from api.http.read_connection import database
from api.http.request_body import has_body, read_json
from models.access.api_keys import Key
from models.core.errors import ClaimbaseError, Conflict, Fault, InvalidRecord
from models.database.connections import BUSY_SECONDS
from models.database.writer_queue import Busy
from models.records.record_types import RecordType
from models.records.serializers import Row
from models.write import changes, idempotency, review
from models.write.changes import Change
from models.write.idempotency import Idempotency

WRITE_ERRORS = {**KEY_ERRORS, **responses(404, 408, 409, 410, 412, 413, 415, 422, 428, 507)}
NEW_ERRORS = {status: said for status, said in WRITE_ERRORS.items() if status not in (412, 428)}
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,200}")

# So many writers have a thread: one that writes and one that is next. The others wait without, so that reads go on.
THREADS = 2

Work = Callable[[Change], "Answer"]
Given = ParamSpec("Given")
Result = TypeVar("Result")


# Headers that a route reads by itself, as OpenAPI declares them: `taking` puts them into a route's `openapi_extra`.
_TAG = {"type": "string", "examples": ['"212"']}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag that was read: the version that is meant. `*` names none and is refused.",
    "schema": _TAG,
}
NEW_OR_MATCH = (
    {
        **IF_MATCH,
        "required": False,
        "description": "The ETag that was read: the version that is to be replaced.",
    },
    {
        "name": "If-None-Match",
        "in": "header",
        "description": "`*` in place of If-Match: the record is to be new.",
        "schema": {"type": "string", "enum": ["*"]},
    },
)
ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A name of your own for this request, such as a UUID: sent again within a day, it is not carried out again.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}


def taking(
    *headers: Mapping[str, Any], body: Mapping[str, Callable[[], Any]] | None = None
) -> dict[str, Any]:
    """Return what OpenAPI is to say of a route that takes these headers and this body: by media type, what makes its schema."""
    content = {media_type: {"schema": schema} for media_type, schema in (body or {}).items()}
    extra: dict[str, Any] = {"requestBody": {"content": content}} if content else {}
    return {**extra, "parameters": [dict(each) for each in headers]} if headers else extra


class PreconditionRequired(ClaimbaseError):
    """Which version is meant was not said."""

    code = "precondition_required"


class PreconditionFailed(ClaimbaseError):
    """Another version is stored than the one that was meant."""

    code = "precondition_failed"


class Answer:
    """What is answered once a change is settled: `tell` finds it in the change, after the documents are derived."""

    def __init__(
        self,
        tell: Callable[[Change], Any],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.tell, self.status, self.headers = tell, status, dict(headers or {})


async def body_of(request: Request) -> Any:
    """Return the JSON of the request's body, an empty object where there is none."""
    return await read_json(request) if has_body(request) else {}


async def write(request: Request, caller: Key, work: Work, comment: str | None = None) -> Response:
    """Carry out a write in one transaction, and answer once it is committed.

    With `Idempotency-Key` a request that is sent again by the same caller within a day gets the first one's answer and
    is not carried out again; the answer is stored in the transaction of the write itself.
    """
    content = await request.body()
    return await in_turn(request, _write, request, caller, work, comment, content)


async def in_turn(
    request: Request, work: Callable[Given, Result], *arguments: Given.args, **named: Given.kwargs
) -> Result:
    """Run in a thread what writes, in the order in which it came."""
    threads: asyncio.Semaphore = request.app.state.writers
    try:
        # A clock is set where there is something to wait for.
        async with asyncio.timeout(BUSY_SECONDS) if threads.locked() else nullcontext():
            await threads.acquire()
    except TimeoutError:
        raise Busy from None
    try:
        return await run_in_threadpool(work, *arguments, **named)
    finally:
        threads.release()


def _write(
    request: Request, caller: Key, work: Work, comment: str | None, content: bytes
) -> Response:
    key = _idempotency_key(request)
    fingerprint = _fingerprint(request, content) if key else ""
    try:
        with changes.begin(database(request), actor=caller.name, comment=comment) as change:
            kept = (
                idempotency.recall(change.connection, caller.name, change.at, key, fingerprint)
                if key
                else None
            )
            if kept is not None:
                return _response(
                    kept.body, kept.status, {**kept.headers, "Idempotency-Replayed": "true"}
                )
            answer = work(change)
            changes.flush(change)
            told = answer.tell(change)
            if isinstance(told, review.RecordOut):
                answer.headers["ETag"] = f'"{told.revision}"'
            body = to_json(told)
            if key:
                kept = Idempotency(
                    actor=caller.name,
                    key=key,
                    request=fingerprint,
                    status=answer.status,
                    headers=answer.headers,
                    body=body,
                    at=change.at,
                )
                idempotency.remember(change.connection, kept)
    except (InvalidRecord, Conflict) as error:
        # In a body a place is a JSON Pointer; a DELETE has parameters instead.
        if request.method == "DELETE":
            raise
        error.faults = [
            fault if fault.at.startswith("/") else fault.model_copy(update={"at": f"/{fault.at}"})
            for fault in error.faults
        ]
        raise
    return _response(body, answer.status, answer.headers)


def _response(body: bytes, status: int, headers: Mapping[str, str]) -> Response:
    return Response(body, status, dict(headers), "application/json")


def _fingerprint(request: Request, content: bytes) -> str:
    asked = f"{request.method} {request.url.path}?{request.url.query}\n{header(request, 'if-match')}\n".encode()
    return hashlib.sha256(asked + content).hexdigest()


def _idempotency_key(request: Request) -> str | None:
    given = header(request, "idempotency-key") if request.method == "POST" else None
    if given is not None and not IDEMPOTENCY_KEY.fullmatch(given):
        detail = "An Idempotency-Key is 1 to 200 printable ASCII characters without spaces, such as a UUID."
        fault = Fault(at="Idempotency-Key", code="invalid_parameter", detail=detail)
        raise ClaimbaseError(detail, [fault], code="invalid_parameter")
    return given


def meant(request: Request, change: Change, caller: Key, kind: RecordType, record_id: str) -> Row:
    """Return the record that a write is about, as its caller may see it, in the version that the request names."""
    body = review.find_visible(change.connection, caller, kind, record_id)
    _must_match(request, change.connection, kind, record_id, body)
    return body


def _must_match(
    request: Request, connection: Connection, kind: RecordType, record_id: str, body: Row
) -> None:
    """Refuse a request that does not say which version it is about (428), or is about another (412; RFC 9110, 13.1.1)."""
    given = header(request, "if-match")
    now = f'"{review.etag_revision(connection, kind, record_id, body)}"'
    if given is None:
        raise PreconditionRequired(
            "Say which version you mean: send If-Match with the ETag that you read, so that nobody's change is lost."
        )
    tags = [tag.strip() for tag in given.split(",")]
    if "*" in tags:
        # It means «whatever is stored»: a condition, but one that names no version, so that it guards nobody's change.
        raise PreconditionRequired(
            "If-Match: * names no version, so it would write over what somebody changed meanwhile: send the ETag that you read."
        )
    if now not in tags:
        raise PreconditionFailed(
            f"It was changed meanwhile and is at {now} now: read it again, then decide."
        )
