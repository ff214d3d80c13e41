"""What wraps every request: its id, the limits on its address, HEAD, one log line, and the 500 that nobody else makes."""

import logging
import re
import time
import uuid
from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem

MOST_BYTES = 8192
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger("claimbase.request")


class Envelope:
    """Pure ASGI middleware. A client's `X-Request-ID` is kept where it is harmless, else one is made."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        request = Request(scope)
        given = request.headers.get("x-request-id", "")
        request_id = given if GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        method, status = scope["method"], 0
        scope["state"]["head"] = method == "HEAD"  # For the one answer that would never end.

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
            elif method == "HEAD" and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        if method == "HEAD":
            # A HEAD is answered as the GET would be, without the body (RFC 9110 section 9.3.2).
            scope = {**scope, "method": "GET"}
        try:
            refused = _refuse(request)
            await (refused or self.app)(scope, receive, answer)
        except Exception:
            log.exception("request failed", extra={"request_id": request_id, "path": scope["path"]})
            if status:
                raise
            await problem(request, 500, "internal_error", "Something went wrong on our side. Tell us the request_id.")(
                scope, receive, answer
            )
        finally:
            log.info(
                "request",
                extra={
                    "request_id": request_id,
                    "method": method,
                    "path": scope["path"],
                    "query": scope["query_string"][:500].decode("latin-1"),
                    "status": status,
                    "milliseconds": round((time.perf_counter() - begun) * 1000, 1),
                },
            )


def _refuse(request: Request) -> ASGIApp | None:
    """Return the answer to an address that is too long, or that would turn into other text when it is decoded."""
    path, query = request.scope.get("raw_path") or request.scope["path"].encode(), request.scope["query_string"]
    if len(path) + len(query) > MOST_BYTES:
        detail = f"The address has {len(path) + len(query):,} bytes; the most is {MOST_BYTES:,}."
        return problem(request, 414, "address_too_long", detail)
    for part in (path, query):
        try:
            text = unquote_to_bytes(part).decode("utf-8")
        except UnicodeDecodeError:
            return problem(request, 400, "bad_encoding", "The address is not percent-encoded UTF-8.")
        if "\x00" in text:
            return problem(request, 400, "bad_encoding", "The address contains the character U+0000 (%00).")
    return None
