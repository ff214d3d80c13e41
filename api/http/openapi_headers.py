"""The headers of responses, as the OpenAPI document declares them."""

from collections.abc import Callable
from typing import Any

_TEXT = {"type": "string"}

HEADERS: dict[str, dict[str, Any]] = {
    "Citation-Style": {
        "description": "The style and the locale of a bibliography.",
        "schema": _TEXT,
    },
    "Content-Disposition": {
        "description": "The name of the file, in every format but `application/json`.",
        "schema": _TEXT,
        "example": 'attachment; filename="sources.bib"',
    },
    "ETag": {
        "description": "The version: for `If-None-Match` of a read, and for `If-Match` of a write.",
        "schema": _TEXT,
        "example": '"212"',
    },
    "Idempotency-Replayed": {
        "description": "`true` where the request was carried out before and this is its response.",
        "schema": {"type": "string", "const": "true"},
    },
    "Link": {
        "description": "Addresses by their relation (RFC 8288): `disclaimer` always, `next` of a"
        " page, `describedby`, `alternate` and others of a record.",
        "schema": _TEXT,
        "example": '</v1/notice>; rel="disclaimer"',
    },
    "Location": {
        "description": "Where the record is.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "RateLimit": {
        "description": "What remains of each limit, and in how many seconds it is full again.",
        "schema": _TEXT,
    },
    "RateLimit-Policy": {
        "description": "Each limit: its quota and its window in seconds.",
        "schema": _TEXT,
    },
    "Retry-After": {
        "description": "Try again in so many seconds.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 5,
    },
    "WWW-Authenticate": {
        "description": "What the key lacks (RFC 6750).",
        "schema": _TEXT,
        "example": 'Bearer realm="claimbase"',
    },
    "X-Request-ID": {
        "description": "The request's id: its own, or a new one. Tell it when you report a fault.",
        "schema": _TEXT,
    },
    "X-Serial": {
        "description": "The serial of the newest change that the answer shows, or of the write."
        " Whoever sends it as `min_serial` next gets nothing older.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 478,
    },
}


def _takes(operation: dict[str, Any], name: str) -> bool:
    return any(each["name"] == name for each in operation.get("parameters", ()))


def _is_done(status: str) -> bool:
    return status in ("200", "201")


def _is_limited(status: str, _method: str, _operation: dict[str, Any]) -> bool:
    """Writes are counted, and so are reads that take long."""
    return _is_done(status)


def _has_version(status: str, method: str, operation: dict[str, Any]) -> bool:
    if method == "get":
        return status == "304" or (status == "200" and "304" in operation["responses"])
    schema = operation["responses"][status].get("content", {}).get("application/json", {})
    name = schema.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return _is_done(status) and name in ("AnyRecord", "NewRecord", "Merged")


# By the name of each header: whether a response with a status, to a method of an operation, may
# have it.
SENT: dict[str, Callable[[str, str, dict[str, Any]], bool]] = {
    "Citation-Style": lambda status, _, operation: status == "200" and _takes(operation, "style"),
    "Content-Disposition": lambda status, method, operation: (
        status == "200"
        and method == "get"
        and len(operation["responses"][status].get("content", ())) > 1
    ),
    "ETag": _has_version,
    "Idempotency-Replayed": lambda status, _, operation: (
        _is_done(status) and _takes(operation, "Idempotency-Key")
    ),
    "Link": lambda *_: True,
    "Location": lambda status, *_: status in ("201", "308"),
    "RateLimit": _is_limited,
    "RateLimit-Policy": _is_limited,
    "Retry-After": lambda status, *_: status in ("429", "503", "507"),
    "WWW-Authenticate": lambda status, *_: status in ("401", "403"),
    "X-Request-ID": lambda *_: True,
    # An error that was found in the database has it, too.
    "X-Serial": lambda status, *_: _is_done(status) or status == "304",
}


def headers_of(status: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    """Return the headers of a response, as references to `HEADERS`."""
    return {
        name: {"$ref": f"#/components/headers/{name}"}
        for name, is_sent in SENT.items()
        if is_sent(status, method, operation)
    }
