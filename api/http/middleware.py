"""What wraps every request that was not answered in front of it: its id, the limits on its address and its body, HEAD, one log
line, an audit record of each denial, and the 500 that nobody else makes."""

import logging
import random
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus, unquote_to_bytes

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import request_body
from api.http.errors import on_domain_error, problem
from api.http.rate_limits import address_of
from models.access.api_keys import redact_keys
from models.core.errors import ClaimbaseError

MOST_BYTES = 8192
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
Headers = list[tuple[bytes, bytes]]
log = logging.getLogger("claimbase.request")
audit = logging.getLogger("claimbase.audit")
DENIALS = (401, 403, 429)

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    # What is read without a key is public, so any page may show it.
    "Cross-Origin-Resource-Policy": "cross-origin",
}
SEALS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


def sealed(headers: Headers) -> Headers:
    """Return the headers of an answer with those security headers that it has not."""
    has = {name for name, _ in headers}
    return [*headers, *(each for each in SEALS if each[0] not in has)]


class Sealed:
    """Pure ASGI middleware, the outermost one: puts the security headers on every answer that has no own ones."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def seal(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = sealed(message["headers"])
            await send(message)

        await self.app(scope, receive, seal)


class Envelope:
    """Pure ASGI middleware. A client's `X-Request-ID` is kept where it is harmless, else one is made.

    A body must be complete within `body_seconds`. What the application lays into the request's state goes out with the
    answer: `headers`, and what `keyed` and `private` mean for caches; and into the audit record: `caller` and `denied`, the
    reason.
    """

    def __init__(self, app: ASGIApp, body_seconds: float) -> None:
        self.app = app
        self.body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        request_id = identify(request.headers.get("x-request-id", ""))
        state = scope.setdefault("state", {})
        begun = state.setdefault(
            "begun", time.perf_counter()
        )  # Before, where it was tried in front.
        state["request_id"] = request_id
        method, status = scope["method"], 0
        scope["state"]["head"] = method == "HEAD"  # For the one answer that would never end.

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = addressed(message["headers"], request_id, state)
            elif method == "HEAD" and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        if method == "HEAD":
            # A HEAD is answered as the GET would be, without the body (RFC 9110 section 9.3.2).
            scope = {**scope, "method": "GET"}
        if request_body.has_body(request):
            receive = request_body.guarded(scope, receive, self.body_seconds)
        try:
            refused = _refuse(request)
            await (refused or self.app)(scope, receive, answer)
        except ClientDisconnect:
            log.info(
                "client went away",
                extra={"request_id": request_id, "path": redact_keys(scope["path"])},
            )
        except Exception:
            log.exception(
                "request failed",
                extra={"request_id": request_id, "path": redact_keys(scope["path"])},
            )
            if status:
                raise
            await problem(
                request,
                500,
                "internal_error",
                "Something went wrong on our side. Tell us the request_id.",
            )(scope, receive, answer)
        finally:
            if status in DENIALS:
                _audit(request, _told({**scope, "method": method}, request_id, status))
            if log.isEnabledFor(logging.INFO):
                tell({**scope, "method": method}, request_id, status, begun)


def addressed(headers: Headers, request_id: str, state: Mapping[str, Any]) -> Headers:
    """Return the headers of an answer with the id of its request, and what the application laid into the request's state."""
    headers = [*headers, (b"x-request-id", request_id.encode())]
    if "headers" in state:
        MutableHeaders(raw=headers).update(state["headers"])
    _tell_caches(headers, state)
    return headers


def vary(headers: Headers, name: bytes) -> None:
    """Say in the headers of an answer that it depends on another one of the request."""
    for place, (known, value) in enumerate(headers):
        if known == b"vary":
            headers[place] = known, value + b", " + name
            return
    headers.append((b"vary", name))


def identify(given: str) -> str:
    """Return the id of a request: the one its client gave where that is harmless, else a new one."""
    if given and GIVEN_ID.fullmatch(given) and redact_keys(given) == given:
        return given
    return f"{random.getrandbits(128):032x}"  # Nobody has to guess it, so that it need not be hard to guess.


def tell(scope: Scope, request_id: str, status: int, begun: float) -> None:
    """Log a request that is over; `begun` is of `time.perf_counter`."""
    query = _shown(scope["query_string"].decode("latin-1"))[:500]
    took = round((time.perf_counter() - begun) * 1000, 1)
    log.info(
        "request", extra={**_told(scope, request_id, status), "query": query, "milliseconds": took}
    )


def _told(scope: Scope, request_id: str, status: int) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "method": scope["method"],
        "path": redact_keys(scope["path"]),
        "status": status,
    }


def _tell_caches(headers: Headers, state: Mapping[str, Any]) -> None:
    """Say on whom an answer depends, which routes that look at the key tell by `keyed`: whether one came.

    What was answered to a key is kept by nobody, since the next asker may be another. Where the content itself is for its
    asker alone (`private`), it has no tag: another's answer bears the same one.
    """
    if "keyed" in state:
        vary(headers, b"Authorization")
        if state["keyed"]:
            MutableHeaders(raw=headers)["Cache-Control"] = "no-store"
    if state.get("private"):
        del MutableHeaders(raw=headers)["ETag"]


def _shown(query: str) -> str:
    """Return a query as a log may hold it: without keys, and without a comment, which is content that may be purged."""
    pieces = (piece.partition("=") for piece in query.split("&"))
    hidden = (
        f"{name}=…" if unquote_plus(name) == "comment" else name + equals + value
        for name, equals, value in pieces
    )
    return redact_keys("&".join(hidden))


def _audit(request: Request, told: dict[str, Any]) -> None:
    """Record who was denied what, and why."""
    state, route = request.scope["state"], request.scope.get("route")
    caller = state.get("caller")
    who = {"key": caller.id, "key_name": caller.name, "role": caller.role} if caller else {}
    why = {"operation": getattr(route, "name", None), "reason": state.get("denied")}
    audit.warning("denied", extra={**told, "address": address_of(request), **who, **why})


def _refuse(request: Request) -> ASGIApp | None:
    """Return the answer to an address that will not do, or to a body that is said to be too large."""
    if refused := refuse_address(request):
        return refused
    try:
        request_body.refuse_by_length(request)
    except ClaimbaseError as error:
        return on_domain_error(request, error)
    return None


def refuse_address(request: Request) -> ASGIApp | None:
    """Return the answer to an address that is too long, or that would turn into other text when it is decoded."""
    path, query = (
        request.scope.get("raw_path") or request.scope["path"].encode(),
        request.scope["query_string"],
    )
    if len(path) + len(query) > MOST_BYTES:
        detail = f"The address has {len(path) + len(query):,} bytes; the most is {MOST_BYTES:,}."
        return problem(request, 414, "address_too_long", detail)
    for part in (path, query):
        if part.isascii() and b"%" not in part:
            continue
        try:
            text = unquote_to_bytes(part).decode("utf-8")
        except UnicodeDecodeError:
            return problem(
                request, 400, "bad_encoding", "The address is not percent-encoded UTF-8."
            )
        if "\x00" in text:
            return problem(
                request, 400, "bad_encoding", "The address contains the character U+0000 (%00)."
            )
    return None
