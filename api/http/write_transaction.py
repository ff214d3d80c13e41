"""A write over HTTP: one transaction, with If-Match and Idempotency-Key."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, Literal, ParamSpec, TypeVar

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from sqlalchemy import Connection

from api.http.errors import KEY_ERRORS, ParameterError, responses
from api.http.fair_share import run_in_thread
from api.http.openapi_schemas import class_body
from api.http.pagination import header
from api.http.read_connection import database
from api.http.request_body import has_body, read_json
from models.access.api_keys import Key
from models.core.errors import ClaimbaseError, Conflict, Fault, InvalidRecord, invalid_record
from models.database.connections import BUSY_SECONDS
from models.database.writer_queue import Busy
from models.records.record_types import RecordType
from models.records.serializers import Row
from models.write import changes, idempotency, review
from models.write.changes import Change
from models.write.idempotency import Idempotency

WRITE_ERRORS = {**KEY_ERRORS, **responses(404, 408, 409, 410, 412, 413, 415, 422, 428, 507)}
NEW_ERRORS = {status: said for status, said in WRITE_ERRORS.items() if status not in (412, 428)}
MOST_KEY_CHARACTERS = 200
VISIBLE_ASCII = re.compile(r"[\x21-\x7e]*")

# So many writers have a thread: one that writes and the next one. The others wait without a thread,
# so that reads go on.
THREADS = 2
# Within this many bytes there are no more faults than can be described in a few milliseconds.
QUICK_TO_JUDGE = 4000


class WriterThreads(asyncio.Semaphore):
    """The turns of writers, which knows how many have one and how many wait."""

    def __init__(self) -> None:
        super().__init__(THREADS)
        self._held = self._asked = 0

    def count_waiting(self) -> int:
        """Return how many requests wait for a thread."""
        return self._asked

    def count_held(self) -> int:
        """Return how many requests have a thread."""
        return self._held

    async def acquire(self) -> Literal[True]:
        """Wait for a turn."""
        self._asked += 1
        try:
            await super().acquire()
        finally:
            self._asked -= 1
        self._held += 1
        return True

    def release(self) -> None:
        """Give a turn back."""
        self._held -= 1
        super().release()


Work = Callable[[Change], "Answer"]
Given = ParamSpec("Given")
Input = TypeVar("Input", bound=BaseModel)
Result = TypeVar("Result")


# An entity tag, weak or strong (RFC 9110 section 8.8.3), and ours, which may name a coding.
_ENTITY_TAG = re.compile(r'(?:W/)?"[^"]*"')
_VERSION_TAG = re.compile(r'(?:W/)?"([0-9]{1,18})(?:[-;:][a-z]{1,10})?"')
# Headers that a route reads by itself, as OpenAPI declares them; `taking` returns them for a
# route's `openapi_extra`.
_TAG = {"type": "string", "examples": ['"212"']}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag that was read: the version that is meant."
    " `*` names none and is refused.",
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
    "description": "A name of your own for this request, such as a UUID: sent again within a day,"
    " it is not carried out again.",
    "schema": {"type": "string", "pattern": f"^[!-~]{{1,{MOST_KEY_CHARACTERS}}}$"},
}


def taking(
    *headers: Mapping[str, Any],
    body: Mapping[str, type[BaseModel] | dict[str, Any]] | None = None,
    required: bool = False,
) -> dict[str, Any]:
    """Return the OpenAPI declaration of a route's headers and body.

    The body maps each media type to its class, or to its schema; see `openapi_schemas.body`.
    """
    content = {
        media_type: {"schema": each if isinstance(each, dict) else class_body(each)}
        for media_type, each in (body or {}).items()
    }
    told = {"content": content, "required": True} if required else {"content": content}
    extra: dict[str, Any] = {"requestBody": told} if content else {}
    return {**extra, "parameters": [dict(header) for header in headers]} if headers else extra


class PreconditionRequired(ClaimbaseError):
    """The request names no version of the record."""

    code = "precondition_required"


class BadEntityTag(ClaimbaseError):
    """If-Match holds something that is no entity tag."""

    code = "bad_entity_tag"


class PreconditionFailed(ClaimbaseError):
    """The stored version is not the one that the request names."""

    code = "precondition_failed"


class Answer:
    """The response to a write: `tell` returns its body after the documents are derived."""

    def __init__(
        self,
        tell: Callable[[Change], Any],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.tell, self.status, self.headers = tell, status, dict(headers or {})


async def body_of(request: Request) -> Any:
    """Return the JSON of the request's body, or an empty object if there is none."""
    return await read_json(request) if has_body(request) else {}


async def read_input(request: Request, model: type[Input]) -> Input:
    """Return the request's body as an input class reads it. Raises InvalidRecord."""
    return await judged(request, _validated, model, await body_of(request))


def _validated(model: type[Input], given: Any) -> Input:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid_record(error, model.model_fields) from None


@contextmanager
def located_in_body() -> Iterator[None]:
    """Let the faults of an error point into the request's body, by JSON Pointers."""
    try:
        yield
    except (InvalidRecord, Conflict) as error:
        error.faults = [
            fault if fault.at.startswith("/") else fault.model_copy(update={"at": f"/{fault.at}"})
            for fault in error.faults
        ]
        raise


async def judged(
    request: Request, judge: Callable[Given, Result], *arguments: Given.args, **named: Given.kwargs
) -> Result:
    """Return what a function makes of the request's body, before the lock of the writers is taken.

    A small body is judged at once, and a larger one in a thread, so that other requests need not
    wait for it.
    """
    with located_in_body():
        if len(await request.body()) <= QUICK_TO_JUDGE:
            return judge(*arguments, **named)
        return await run_in_thread(request, partial(judge, *arguments, **named))


async def write(request: Request, caller: Key, work: Work, comment: str | None = None) -> Response:
    """Carry out a write in one transaction, and return the response after the commit.

    With `Idempotency-Key`, a repetition by the same caller within a day gets the first response and
    is not carried out; the response is stored in the transaction of the write itself.
    """
    key = _idempotency_key(request)
    content = await request.body()
    return await in_turn(request, _write, request, caller, work, comment, key, content)


class _TakenBack(Exception):
    """Ends a transaction that is rehearsed, so that nothing of it is stored."""


async def rehearse(request: Request, caller: Key, work: Callable[[Change], Any]) -> Response:
    """Carry out a write, tell what would be, and take it back: nothing is stored."""
    return await in_turn(request, _rehearse, request, caller, work)


def _rehearse(request: Request, caller: Key, work: Callable[[Change], Any]) -> Response:
    body = b""
    review_mode = request.app.state.settings.review
    begun = changes.begin(database(request), actor=caller.name, review=review_mode)
    with suppress(_TakenBack), located_in_body(), begun as change:
        body = to_json(work(change))
        raise _TakenBack
    return _response(body, 200, {})


async def in_turn(
    request: Request, work: Callable[Given, Result], *arguments: Given.args, **named: Given.kwargs
) -> Result:
    """Run a function that writes in a thread, in order of arrival."""
    threads: WriterThreads = request.app.state.writers
    try:
        # A timeout costs time, so there is none if nothing is to wait for.
        async with asyncio.timeout(BUSY_SECONDS) if threads.locked() else nullcontext():
            await threads.acquire()
    except TimeoutError:
        raise Busy from None
    try:
        return await run_in_thread(request, partial(work, *arguments, **named))
    finally:
        threads.release()


def _write(
    request: Request,
    caller: Key,
    work: Work,
    comment: str | None,
    key: str | None,
    content: bytes,
) -> Response:
    fingerprint = _fingerprint(request, content) if key else ""
    # A fault in a body has a JSON Pointer; a DELETE has parameters instead of a body.
    location = nullcontext() if request.method == "DELETE" else located_in_body()
    begun = changes.begin(
        database(request),
        actor=caller.name,
        comment=comment,
        review=request.app.state.settings.review,
    )
    with location, begun as change:
        if key and (
            first := idempotency.recall(change.connection, caller.name, change.at, key, fingerprint)
        ):
            replayed = {**first.headers, "Idempotency-Replayed": "true"}
            return _response(first.body, first.status, replayed)
        answer = work(change)
        changes.flush(change)
        request.scope["state"]["serial"] = change.serial
        result = answer.tell(change)
        if isinstance(result, review.RecordOut):
            answer.headers["ETag"] = f'"{result.revision}"'
        body = to_json(result)
        if key:
            entry = Idempotency(
                actor=caller.name,
                key=key,
                request=fingerprint,
                status=answer.status,
                headers=answer.headers,
                body=body,
                at=change.at,
            )
            idempotency.remember(change.connection, entry)
    return _response(body, answer.status, answer.headers)


def answer_with(
    content: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response with the JSON of a model."""
    return _response(to_json(content), status, headers or {})


def record_response(record: review.RecordOut) -> Response:
    """Return a response with a record in review, with the ETag of its version."""
    return answer_with(record, headers={"ETag": f'"{record.revision}"'})


def _response(body: bytes, status: int, headers: Mapping[str, str]) -> Response:
    return Response(body, status, dict(headers), "application/json")


def _fingerprint(request: Request, content: bytes) -> str:
    """Return a hash of the method, path, query, If-Match and body of a request."""
    target = f"{request.method} {request.url.path}?{request.url.query}"
    head = f"{target}\n{header(request, 'if-match')}\n".encode()
    return hashlib.sha256(head + content).hexdigest()


def _idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key of a POST, or None. Raises ClaimbaseError if it is malformed.

    An empty one is an error: most likely a client failed to fill it in, and would carry its request
    out twice without knowing.
    """
    if request.method != "POST":
        return None
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    wrong = _fault_of_key(keys)
    if wrong is None:
        return keys[0]
    detail = (
        f"The Idempotency-Key {wrong}; it is 1 to {MOST_KEY_CHARACTERS} printable ASCII characters"
        " without spaces, such as a UUID."
    )
    fault = Fault(at="Idempotency-Key", code="invalid_parameter", detail=detail)
    raise ClaimbaseError(detail, [fault], code="invalid_parameter")


def refuse_idempotency_key(request: Request, holds: str) -> None:
    """Refuse an Idempotency-Key where the answer holds what nobody keeps. Raises ParameterError."""
    if "idempotency-key" in request.headers:
        detail = f"Idempotency-Key does not hold here: the answer holds {holds}."
        raise ParameterError(
            detail, [Fault(at="Idempotency-Key", code="invalid_parameter", detail=detail)]
        )


def _fault_of_key(keys: list[str]) -> str | None:
    """Return what is wrong with the values of Idempotency-Key, or None."""
    if len(keys) > 1:
        return f"is given {len(keys)} times"
    (key,) = keys
    if not key.strip():
        return "is empty"
    if len(key) > MOST_KEY_CHARACTERS:
        return f"has {len(key):,} characters"
    if not VISIBLE_ASCII.fullmatch(key):
        return "has a space, a control character or a letter that is not ASCII"
    return None


def meant(request: Request, change: Change, caller: Key, kind: RecordType, record_id: str) -> Row:
    """Return the record to write, as its caller may see it.

    Raises PreconditionRequired or PreconditionFailed if If-Match does not name its version.
    """
    body = review.visible_record(change, caller, kind, record_id)
    _must_match(request, change.connection, kind, record_id, body)
    return body


def _must_match(
    request: Request, connection: Connection, kind: RecordType, record_id: str, body: Row
) -> None:
    """Raise PreconditionRequired without If-Match, PreconditionFailed if it names another version.

    See RFC 9110 section 13.1.1. A weak tag and one that names a coding are taken, too: proxies that
    compress make these of ours, and the number in it names one version all the same. Raises
    BadEntityTag for what is none.
    """
    if_match = header(request, "if-match")
    number = review.etag_revision(connection, kind, record_id, body)
    current = f'"{number}"'
    if if_match is None:
        raise PreconditionRequired(
            "Say which version you mean: send If-Match with the ETag that you read,"
            " so that nobody's change is lost."
        )
    tags = [tag.strip() for tag in if_match.split(",")]
    if "*" in tags:
        # It accepts any stored version, so it protects no change of another client.
        raise PreconditionRequired(
            "If-Match: * names no version, so it would write over what somebody changed meanwhile:"
            " send the ETag that you read."
        )
    if bad := [tag for tag in tags if not _ENTITY_TAG.fullmatch(tag)]:
        raise BadEntityTag(
            f"{bad[0]!r} is no entity tag: send the ETag as you read it, with its quotation marks,"
            f" such as {current}."
        )
    numbers = [int(found[1]) for tag in tags if (found := _VERSION_TAG.fullmatch(tag))]
    if number in numbers:
        return
    changes = review.changes_since(connection, kind, record_id, body, max(numbers, default=0))
    raise PreconditionFailed(
        f"It was changed meanwhile and is at {current} now: read it again, then decide.", changes
    )
