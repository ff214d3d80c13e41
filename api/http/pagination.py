"""Lists: sorting, keyset paging, counting, conditional answers; the same for every resource."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json
from sqlalchemy import Connection, Integer, Select

from api.http.errors import ParameterError
from models.core.errors import Fault
from models.core.types import clean_text
from models.core.vocabulary import OneOf, Term, Vocabulary
from models.read import facets, listings, references
from models.read.filters import requested_parameters
from models.records.serializers import Row

# So many forms of a question are remembered; what differs is the page.
MOST_KNOWN = 1024
CACHE = {"Cache-Control": "no-cache", "Vary": "Accept"}


def choices(name: str, values: Sequence[str]) -> OneOf:
    """Return the annotation of a parameter that takes one of these values."""
    return OneOf(Vocabulary(name, name, name, tuple(Term(value, value, value) for value in values)))


def sorts(listing: listings.Listing, *more: str) -> OneOf:
    """Return the annotation of `sort` for a listing: each name, also with a minus for descending."""
    return choices(
        "sort", [sign + name for name in ("id", *listing.sorts, *more) for sign in ("", "-")]
    )


class Paging(BaseModel):
    """The parameters of every list."""

    limit: int = Field(25, ge=1, le=200, description="Records a page.")
    cursor: str | None = Field(
        None,
        max_length=6000,
        description="`page.next` of the page before, with the same filters and sort.",
    )
    count: Annotated[str, choices("count", ["exact"])] | None = Field(
        None, description="`exact` adds `page.count`, the number of records on all pages."
    )


class Page(BaseModel):
    """Where the list goes on."""

    limit: int
    next: str | None = Field(description="Cursor of the next page; null at the end.")
    count: int | None = Field(
        default=None, description="Number of records on all pages, where asked for."
    )


def header(request: Request, name: str) -> str | None:
    """Return a header that is a list; several lines of it mean one (RFC 9110 section 5.3)."""
    known = name.encode()
    return (
        b", ".join([value for each, value in request.scope["headers"] if each == known]).decode(
            "latin-1"
        )
        or None
    )


def etag_matches(given: str, etag: str) -> bool:
    """Say whether If-None-Match names this tag, by weak comparison (RFC 9110 section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


def make_private(request: Request) -> None:
    """Say that the answer is for its asker alone: a tag that another's answer bore as well must not stand for it."""
    request.state.private = True


def not_modified(request: Request, etag: str, cache: Mapping[str, str] = CACHE) -> Response | None:
    """Return 304 where the client has this version already."""
    if request.scope.get("state", {}).get("private"):
        return None
    known = header(request, "if-none-match")
    if known is not None and etag_matches(known, etag):
        return Response(status_code=304, headers={"ETag": etag, **cache})
    return None


def json_response(content: bytes, etag: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return JSON bytes with their tag."""
    return Response(
        content, media_type="application/json", headers={"ETag": etag, **CACHE, **(headers or {})}
    )


def list_tag(connection: Connection) -> str:
    """Return the tag of every list: it holds while nothing is changed anywhere."""
    return f'W/"s{listings.current_serial(connection)}"'


# What makes the JSON of each row of a list.
Lines = Callable[[Connection, Sequence[Row]], list[bytes]]


def listing_response(
    request: Request,
    connection: Connection,
    listing: listings.Listing,
    statement: Select[Any],
    query: Any,
    lines: Lines,
) -> Response:
    """Answer a list: 304 without touching the data where nothing changed, else one page and where it goes on."""
    asked = requested_parameters(query)
    sort = asked.get("sort", listing.default)
    bound = _binding(request, asked)
    after = _decode(query.cursor, bound, listing, sort) if query.cursor is not None else None
    parameters = references.resolve_references(connection, asked)
    etag = list_tag(connection)
    if unchanged := not_modified(request, etag):
        return unchanged
    rows, mark = listings.read_page(
        connection, listing, statement, parameters, sort, after, query.limit
    )
    page: dict[str, Any] = {
        "limit": query.limit,
        "next": _encode(mark, bound) if mark is not None else None,
    }
    if query.count:
        page["count"] = facets.count(connection, listing, parameters)
    headers = {}
    if page["next"]:
        path, query_string = request.scope["path"], request.scope["query_string"].decode("latin-1")
        headers["Link"] = (
            f'<{path}?{_kept(split_cursor(query_string)[0])}cursor={page["next"]}>; rel="next"'
        )
    records = [piece for line in lines(connection, rows) for piece in (b",", line)][1:]
    content = b"".join([b'{"data":[', *records, b'],"page":', to_json(page), b"}"])
    return json_response(content, etag, headers)


_NOT_BOUND = ("cursor", "limit", "count", "fields", "include", "highlight")


def _binding(request: Request, asked: Mapping[str, Any]) -> str:
    """Return what a cursor is good for: this list with these filters and this sort, whatever their order."""
    return _hashed(
        to_json(
            [request.scope["path"], {name: asked[name] for name in asked if name not in _NOT_BOUND}]
        )
    )


@lru_cache(MOST_KNOWN)
def _hashed(names: bytes) -> str:
    content = json.dumps(json.loads(names), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


_CURSOR = re.compile(r"(?:^|&)cursor=([A-Za-z0-9_-]{1,6000})(?=&|$)")


def split_cursor(query: str) -> tuple[str, str | None]:
    """Return a query string without its cursor, and the cursor; whole where it has not exactly one, as we write them."""
    pieces = _CURSOR.split(query)
    if len(pieces) != 3:
        return query, None
    before, cursor, after = pieces
    return (before + after if before else after[1:]), cursor


@lru_cache(MOST_KNOWN)
def _kept(query: str) -> str:
    """Return a query string as it is to stand before another cursor."""
    kept = [
        (name, value)
        for name, value in parse_qsl(query, keep_blank_values=True)
        if name != "cursor"
    ]
    return f"{urlencode(kept)}&" if kept else ""


def _encode(mark: Sequence[Any], bound: str) -> str:
    return base64.urlsafe_b64encode(to_json([bound, *mark])).decode().rstrip("=")


def _decode(cursor: str, bound: str, listing: listings.Listing, sort: Sequence[str]) -> list[Any]:
    """Return the sort values that a cursor holds; whatever is not as this list wrote it is refused."""
    try:
        content = from_json(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
        owner, *mark = content
    except (ValueError, TypeError, binascii.Error):
        raise _bad_cursor("The cursor is damaged. Begin again without it.") from None
    if owner != bound:
        raise _bad_cursor(
            "The cursor belongs to another list, other filters or another sort. Begin again without it."
        )
    # SQLModel's text type calls itself an object, so whatever is not a number is text.
    numbers = [
        isinstance(column.type, Integer) for column, _ in listings.sort_columns(listing, sort)
    ]
    types = [int if number else str for number in numbers]
    if [type(value) for value in mark] != types or any(_unstorable(value) for value in mark):
        raise _bad_cursor("The cursor is damaged. Begin again without it.")
    return list(mark)


def _unstorable(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) >= 2**31
    try:
        return bool(clean_text(value) != value)
    except ValueError:
        return True


def _bad_cursor(detail: str) -> ParameterError:
    return ParameterError(
        detail, [Fault(at="cursor", code="bad_cursor", detail=detail)], code="bad_cursor"
    )
