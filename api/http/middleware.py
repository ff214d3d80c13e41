"""Pure ASGI middleware for every request, one task per class; `api.main` lists them in order."""

import logging
import random
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus, unquote_to_bytes

from fastapi import Request, Response
from pydantic_core import to_json
from starlette.datastructures import Headers as RequestHeaders
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import request_body
from api.http.clients import address_of
from api.http.compression import Headers, varied
from api.http.errors import MEDIA_TYPE, on_domain_error, problem, problem_body
from models.access.api_keys import redact_keys
from models.core.errors import ClaimbaseError

MOST_BYTES = 8192
HARMLESS_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
DENIALS = (401, 403, 429)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    # Everything that needs no key is public, so pages of any origin may embed it.
    "Cross-Origin-Resource-Policy": "cross-origin",
}
RAW_SECURITY_HEADERS = [
    (name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
]
# To the notice, on every response (RFC 6903), beside other links.
DISCLAIMER = '</v1/notice>; rel="disclaimer"'
RAW_DISCLAIMER = (b"link", DISCLAIMER.encode())

log = logging.getLogger("claimbase.request")
audit = logging.getLogger("claimbase.audit")


def changing_headers(send: Send, change: Callable[[Headers], Headers]) -> Send:
    """Return a `send` that passes the headers of a response through `change`."""

    async def send_changed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": change(message["headers"])}
        await send(message)

    return send_changed


class NotingStatus:
    """A `send` that knows the status of the response, 0 until it begins."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self.send(message)


class StandingHeadersMiddleware:
    """Adds the headers of every response: a link to the notice, and security headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, changing_headers(send, with_standing_headers))


def with_standing_headers(headers: Headers) -> Headers:
    """Return the headers with the link to the notice, and any missing security headers."""
    own = {name for name, _ in headers}
    missing = [header for header in RAW_SECURITY_HEADERS if header[0] not in own]
    return [*headers, *missing, RAW_DISCLAIMER]


class ProblemCORSMiddleware(CORSMiddleware):
    """Starlette's CORS, whose refused preflights are problems as all errors are."""

    def preflight_response(self, request_headers: RequestHeaders) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code == 200:
            return answer
        body = problem_body("http_error", f"{bytes(answer.body).decode()}.")
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name not in ("content-length", "content-type")
        }
        content = to_json(body, exclude_none=True)
        return Response(content, answer.status_code, headers, media_type=MEDIA_TYPE)


class RequestIdMiddleware:
    """Sets the id of each request, which its response, log record and error body contain."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(dict(scope["headers"]).get(b"x-request-id", b""))
        scope.setdefault("state", {})["request_id"] = request_id
        header = (b"x-request-id", request_id.encode())
        await self.app(scope, receive, changing_headers(send, lambda headers: [*headers, header]))


def request_id_of(header: bytes) -> str:
    """Return the id in the header if it is safe to log, else a new one."""
    text = header.decode("latin-1")
    if text and HARMLESS_ID.fullmatch(text) and redact_keys(text) == text:
        return text
    # The id is no secret, so it need not be hard to guess.
    return f"{random.getrandbits(128):032x}"


class AccessLogMiddleware:
    """Logs each request, and writes an audit record for each request that was denied."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, noting = time.perf_counter(), NotingStatus(send)
        try:
            await self.app(scope, receive, noting)
        finally:
            request_id = scope["state"]["request_id"]
            if noting.status in DENIALS:
                record_denial(scope, request_id, noting.status)
            log_request(scope, request_id, noting.status, begun)


def log_request(scope: Scope, request_id: str, status: int, begun: float) -> None:
    """Log a finished request; `begun` is its start by `time.perf_counter`."""
    if log.isEnabledFor(logging.INFO):
        query = loggable(scope["query_string"].decode("latin-1"))[:500]
        took = round((time.perf_counter() - begun) * 1000, 1)
        more = {"query": query, "milliseconds": took}
        if (tool := scope["state"].get("tool")) is not None:
            more["tool"] = tool
        log.info("request", extra={**_in_log(scope, request_id, status), **more})


def record_denial(scope: Scope, request_id: str, status: int) -> None:
    """Write the audit record of a denied request: key, address, operation and reason."""
    state, route = scope["state"], scope.get("route")
    caller = state.get("caller")
    who = {"key": caller.id, "key_name": caller.name, "role": caller.role} if caller else {}
    why = {"operation": getattr(route, "name", None), "reason": state.get("denied")}
    address = address_of(Request(scope))
    audit.warning(
        "denied", extra={**_in_log(scope, request_id, status), "address": address, **who, **why}
    )


def _in_log(scope: Scope, request_id: str, status: int) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "method": scope["method"],
        "path": redact_keys(scope["path"]),
        "status": status,
    }


def loggable(query: str) -> str:
    """Return a query string for the log, without keys and comments.

    A comment may be purged later, and a copy in the log would remain.
    """
    pieces = (piece.partition("=") for piece in query.split("&"))
    hidden = (
        f"{name}=…" if unquote_plus(name) == "comment" else name + equals + value
        for name, equals, value in pieces
    )
    return redact_keys("&".join(hidden))


class StateHeadersMiddleware:
    """Adds the headers that follow from the request's state, as its route has set it.

    The state holds `headers`, the `serial` that the response shows, and whether the response
    depends on a key (`keyed`) or is for one client only (`private`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope["state"]
        await self.app(
            scope, receive, changing_headers(send, lambda headers: with_state(headers, state))
        )


def with_state(headers: Headers, state: dict[str, Any]) -> Headers:
    """Return the headers, with those of the state and the cache rules for keys added."""
    if "serial" in state:
        headers = [*headers, (b"x-serial", b"%d" % state["serial"])]
    if "keyed" in state:
        headers = varied(headers, b"Authorization")
    if not (state.get("keyed") or state.get("private") or "headers" in state):
        return headers
    changed = MutableHeaders(raw=[*headers])
    changed.update(state.get("headers", {}))
    if state.get("keyed"):
        # No cache may store a response to a key, since the next request may have another key.
        changed["Cache-Control"] = "no-store"
    if state.get("private") and "private_mark" not in state:
        # The content differs from caller to caller, but the ETag would be the same.
        del changed["ETag"]
    return changed.raw


class HeadMiddleware:
    """Answers HEAD like GET, but without the body (RFC 9110 section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # An event stream never ends, so its route has to know that no body is wanted.
        scope["state"]["head"] = scope["method"] == "HEAD"
        if scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            await send(
                {**message, "body": b""} if message["type"] == "http.response.body" else message
            )

        as_get = {**scope, "method": "GET"}
        try:
            await self.app(as_get, receive, send_without_body)
        finally:
            # The audit record and the metrics name the route.
            scope["route"] = as_get.get("route")


class ServerErrorMiddleware:
    """Answers 500 to an error that nothing else handles, logs it, and does not disclose it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        noting = NotingStatus(send)
        about = {"request_id": scope["state"]["request_id"], "path": redact_keys(scope["path"])}
        try:
            await self.app(scope, receive, noting)
        except ClientDisconnect:
            log.info("client went away", extra=about)
        except Exception:
            log.exception("request failed", extra=about)
            if noting.status:
                raise
            detail = "Something went wrong on our side. Tell us the request_id."
            await problem(Request(scope), "internal_error", detail)(scope, receive, send)


class AddressMiddleware:
    """Refuses a URL that is too long, is not percent-encoded UTF-8 or contains U+0000."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = refuse_address(scope) if scope["type"] == "http" else None
        await (refused or self.app)(scope, receive, send)


def refuse_address(scope: Scope) -> ASGIApp | None:
    """Return the error response to a bad URL, or None if the URL is valid."""
    path, query = scope.get("raw_path") or scope["path"].encode(), scope["query_string"]
    if len(path) + len(query) > MOST_BYTES:
        detail = f"The address has {len(path) + len(query):,} bytes; the most is {MOST_BYTES:,}."
        return problem(Request(scope), "address_too_long", detail)
    for part in (path, query):
        if part.isascii() and b"%" not in part:
            continue
        try:
            text = unquote_to_bytes(part).decode("utf-8")
        except UnicodeDecodeError:
            return problem(
                Request(scope), "bad_encoding", "The address is not percent-encoded UTF-8."
            )
        if "\x00" in text:
            return problem(
                Request(scope), "bad_encoding", "The address contains the character U+0000 (%00)."
            )
    return None


class BodyMiddleware:
    """Refuses a body that is too large, or is not complete in time."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not request_body.has_body(request := Request(scope)):
            await self.app(scope, receive, send)
            return
        try:
            request_body.refuse_by_length(request)
        except ClaimbaseError as error:
            await on_domain_error(request, error)(scope, receive, send)
            return
        await self.app(scope, request_body.guarded(receive, request_body.limits_of(request)), send)
