"""Lists: sorting, keyset paging, counting, conditional responses; the same for every resource."""

import base64
import binascii
import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field
from pydantic_core import from_json, to_json
from sqlalchemy import Connection, Integer, Select

from api.http.errors import ParameterError
from api.settings import installed_version
from models.core.errors import Fault
from models.core.schema_names import sometimes
from models.core.types import Shape, clean_text
from models.core.vocabulary import OneOf, Term, Vocabulary
from models.read import facets, listings, references
from models.read.filters import MatchMode, requested_parameters
from models.read.search_results import MAX_RANKED, Search
from models.records.serializers import Row

# How many query strings without their cursor are cached.
MOST_KNOWN = 1024
DAMAGED = "The cursor is damaged. Begin again without it."
CACHE = {"Cache-Control": "no-cache", "Vary": "Accept"}


def choices(name: str, values: Sequence[str], schema: str = "") -> OneOf:
    """Return the annotation of a parameter that takes one of these values.

    `schema` is the name of the values in the OpenAPI document; by default the parameter's.
    """
    terms = tuple(Term(value, value, value) for value in values)
    about = f"What `{name}` takes."
    return OneOf(Vocabulary(name, name, about, terms), schema or name.capitalize())


def sorts(listing: listings.Listing, schema: str, *more: str) -> OneOf:
    """Return the annotation of a listing's `sort`: each name, also with a minus for descending.

    `schema` is the name of the values in the OpenAPI document.
    """
    names = ("id", *listing.sorts, *more)
    return choices("sort", [sign + name for name in names for sign in ("", "-")], schema)


class Paging(Shape):
    """The parameters of every list."""

    limit: int = Field(25, ge=1, le=200, description="Records a page.")
    cursor: str | None = Field(
        None,
        max_length=6000,
        description="`page.next` of the page before, with the same filters and sort.",
    )
    count: Annotated[str, choices("count", ["exact"], "CountMode")] | None = Field(
        None, description="`exact` adds `page.count`, the number of records on all pages."
    )


class SearchOut(Shape):
    """How `q` was understood."""

    match: MatchMode = Field(description="Whether all of its words are there, or any of them.")
    beginning: bool = Field(
        description="Whether its last word is understood as the beginning of one, since no record"
        " has it as it is."
    )
    did_you_mean: str | None = Field(
        description="What it may have meant, if it has words that no record has."
    )
    ranked: int = Field(
        description="So many of the best matches come in the order of their relevance; what else"
        " matches comes after them in the order of the ids."
    )


def search_out(search: Search) -> dict[str, Any]:
    """Return the members of `SearchOut`."""
    return {
        "match": search.match,
        "beginning": search.is_beginning,
        "did_you_mean": search.did_you_mean,
        "ranked": MAX_RANKED,
    }


class State(Shape):
    """Which state of the database a list shows; a citation of the list names it."""

    version: str = Field(description="Version of the program.")
    serial: int = Field(description="Serial of the newest change; 0 before the first one.")
    updated: str | None = Field(description="When that change was recorded, in UTC.")


class Page(State):
    """Where the list goes on, and which state of the database it shows."""

    limit: int
    next: str | None = Field(description="Cursor of the next page; null at the end.")
    count: int | None = sometimes("Number of records on all pages, where asked for.")
    search: SearchOut | None = sometimes("With `q`: how it was understood.")


def base_of(request: Request) -> str:
    """Return the address of this server, without a slash at its end."""
    return str(request.base_url).rstrip("/")


def header(request: Request, name: str) -> str | None:
    """Return a header that is a list, or None; several lines count as one (RFC 9110, 5.3)."""
    encoded = name.encode()
    values = [value for field, value in request.scope["headers"] if field == encoded]
    return b", ".join(values).decode("latin-1") or None


def etag_matches(if_none_match: str, etag: str) -> bool:
    """Return whether If-None-Match names this tag, by weak comparison (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


def make_private(request: Request, *marks: object) -> None:
    """Mark the response as private to this client.

    Another client's response would have the same tag, so it has none and is never a 304. With
    `marks`, which name the client and all that the response depends on beside the serial, its tag
    holds a hash of them, so that it is no other client's.
    """
    request.state.private = True
    if marks:
        request.state.private_mark = hashlib.sha256(to_json(marks)).hexdigest()[:16]


def tag_at(request: Request, serial: int) -> str:
    """Return the ETag of a list at a serial, for this client alone where it is private."""
    mark = request.scope.get("state", {}).get("private_mark")
    return _tag(serial) if mark is None else f'W/"s{serial}-{mark}"'


def not_modified(request: Request, etag: str, cache: Mapping[str, str] = CACHE) -> Response | None:
    """Return a 304 if the client has this version already, else None."""
    state = request.scope.get("state", {})
    if state.get("private") and "private_mark" not in state:
        return None
    cached = header(request, "if-none-match")
    if cached is not None and etag_matches(cached, etag):
        return Response(status_code=304, headers={"ETag": etag, **cache})
    return None


def json_response(content: bytes, etag: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with JSON bytes and their ETag."""
    return Response(
        content, media_type="application/json", headers={"ETag": etag, **CACHE, **(headers or {})}
    )


def list_tag(connection: Connection) -> str:
    """Return the ETag of every list: it stays the same while no record changes."""
    return _tag(listings.current_serial(connection))


def _tag(serial: int) -> str:
    return f'W/"s{serial}"'


def state(connection: Connection) -> dict[str, Any]:
    """Return the members of `State`."""
    serial, updated = listings.last_change(connection)
    return {"version": installed_version(), "serial": serial, "updated": updated}


# A function that returns the JSON of each row of a list.
Lines = Callable[[Connection, Sequence[Row]], list[bytes]]
# A function that returns how many of the first rows of a page fit on it, at least one.
Fit = Callable[[Sequence[Row]], int]


def listing_response(
    request: Request,
    connection: Connection,
    listing: listings.Listing,
    statement: Select[Any],
    query: Any,
    lines: Lines,
    more: Mapping[str, Any] | None = None,
    search: Search | None = None,
    fit: Fit = len,
) -> Response:
    """Return one page of a list and the cursor of the next.

    If nothing changed it is a 304, which does not read the list. The page ends early after the rows
    that fit. `more` are further members of it. `search` is what the listing was searched for.
    """
    asked = _asked(request.scope["path"], connection, listing, query)
    now = state(connection)
    etag = tag_at(request, now["serial"])
    if unchanged := not_modified(request, etag):
        return unchanged
    rows, cursor = _read(connection, listing, statement, asked, query.limit, fit)
    page: dict[str, Any] = {"limit": query.limit, "next": cursor}
    if query.count:
        page["count"] = facets.count(connection, listing, asked.parameters)
    if search is not None:
        page["search"] = search_out(search)
    page |= now
    headers = {"Link": _next_link(request, cursor)} if cursor is not None else {}
    records = b",".join(lines(connection, rows))
    members = to_json({"page": page, **(more or {})})
    content = b"".join([b'{"data":[', records, b"],", members[1:]])
    return json_response(content, etag, headers)


class _Asked(NamedTuple):
    """What a request asks of a list: its filters as they are stored, its order, where to go on, and
    the hash that its cursors are bound to.
    """

    parameters: dict[str, Any]
    sort: Sequence[str]
    after: list[Any] | None
    bound: str


def _asked(path: str, connection: Connection, listing: listings.Listing, query: Any) -> _Asked:
    filters = requested_parameters(query)
    sort = filters.get("sort", listing.default)
    bound = _binding(path, filters)
    after = _decode(query.cursor, bound, listing, sort) if query.cursor is not None else None
    return _Asked(references.resolve_references(connection, filters), sort, after, bound)


def _read(
    connection: Connection,
    listing: listings.Listing,
    statement: Select[Any],
    asked: _Asked,
    limit: int,
    fit: Fit = len,
) -> tuple[list[Row], str | None]:
    rows, mark = listings.read_page(
        connection, listing, statement, asked.parameters, asked.sort, asked.after, limit
    )
    fitting = fit(rows)
    if fitting < len(rows):
        rows, mark = rows[:fitting], listings.mark_of(rows[fitting - 1])
    return rows, _encode(mark, asked.bound) if mark is not None else None


def read_rows(
    request: Request,
    connection: Connection,
    listing: listings.Listing,
    statement: Select[Any],
    query: Any,
) -> tuple[list[Row], str | None, dict[str, Any]]:
    """Return the rows of one page of a list, the cursor of the next page or None, and the filters
    as they are stored.
    """
    return read_rows_of(request.scope["path"], connection, listing, statement, query)


def read_rows_of(
    path: str,
    connection: Connection,
    listing: listings.Listing,
    statement: Select[Any],
    query: Any,
    fit: Fit = len,
) -> tuple[list[Row], str | None, dict[str, Any]]:
    """Return the same as `read_rows`; the cursor belongs to the list at `path`.

    The page ends early after the rows that fit.
    """
    asked = _asked(path, connection, listing, query)
    rows, cursor = _read(connection, listing, statement, asked, query.limit, fit)
    return rows, cursor, asked.parameters


def page_of_names(
    request: Request, connection: Connection, query: Paging, names: Sequence[str]
) -> tuple[Sequence[str], Row, dict[str, str]]:
    """Return one page of a sorted list that no database holds, as `page` and Link tell it."""
    bound = _binding(request.scope["path"], requested_parameters(query))
    begin = 0
    if query.cursor is not None:
        after = _opened(query.cursor, bound)
        if [type(value) for value in after] != [str]:
            raise _bad_cursor(DAMAGED)
        begin = bisect_right(names, after[0])
    chosen = names[begin : begin + query.limit]
    goes_on = begin + query.limit < len(names)
    cursor = _encode([chosen[-1]], bound) if goes_on else None
    page: dict[str, Any] = {"limit": query.limit, "next": cursor}
    if query.count:
        page["count"] = len(names)
    page |= state(connection)
    headers = {"Link": _next_link(request, cursor)} if cursor is not None else {}
    return chosen, page, headers


def _next_link(request: Request, cursor: str) -> str:
    """Return the Link header that leads to the next page."""
    query_string = request.scope["query_string"].decode("latin-1")
    parameters = _kept(split_cursor(query_string)[0])
    return f'<{request.scope["path"]}?{parameters}cursor={cursor}>; rel="next"'


_NOT_BOUND = ("cursor", "limit", "count", "fields", "include", "highlight")


def _binding(path: str, parameters: Mapping[str, Any]) -> str:
    """Return a hash of the list that a cursor belongs to: its path, filters and sort."""
    bound = {name: value for name, value in parameters.items() if name not in _NOT_BOUND}
    return _hashed(to_json([path, bound]))


@lru_cache(MOST_KNOWN)
def _hashed(names: bytes) -> str:
    content = json.dumps(json.loads(names), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


_CURSOR = re.compile(r"(?:^|&)cursor=([A-Za-z0-9_-]{1,6000})(?=&|$)")


def split_cursor(query: str) -> tuple[str, str | None]:
    """Return a query string without its cursor, and the cursor.

    The string stays as it is, with None, unless it has exactly one cursor of the usual form.
    """
    pieces = _CURSOR.split(query)
    if len(pieces) != 3:
        return query, None
    before, cursor, after = pieces
    return (before + after if before else after[1:]), cursor


@lru_cache(MOST_KNOWN)
def _kept(query: str) -> str:
    """Return a query string without its cursor, ready for another cursor at its end."""
    pairs = parse_qsl(query, keep_blank_values=True)
    others = [(name, value) for name, value in pairs if name != "cursor"]
    return f"{urlencode(others)}&" if others else ""


def _encode(mark: Sequence[Any], bound: str) -> str:
    return base64.urlsafe_b64encode(to_json([bound, *mark])).decode().rstrip("=")


def _decode(cursor: str, bound: str, listing: listings.Listing, sort: Sequence[str]) -> list[Any]:
    """Return the sort values in a cursor. Raises ParameterError if this list did not write it."""
    mark = _opened(cursor, bound)
    # The Python type of SQLModel's text type is `object`, so every type but Integer is text.
    numbers = [
        isinstance(column.type, Integer) for column, _ in listings.sort_columns(listing, sort)
    ]
    types = [int if number else str for number in numbers]
    if [type(value) for value in mark] != types or any(_unstorable(value) for value in mark):
        raise _bad_cursor(DAMAGED)
    return list(mark)


def _opened(cursor: str, bound: str) -> list[Any]:
    """Return what is in a cursor. Raises ParameterError if it does not belong to this list."""
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        mark: list[Any]
        owner, *mark = from_json(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error):
        raise _bad_cursor(DAMAGED) from None
    if owner != bound:
        raise _bad_cursor(
            "The cursor belongs to another list, other filters or another sort."
            " Begin again without it."
        )
    return mark


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
