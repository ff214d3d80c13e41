"""What a client has seen of the database, so that no answer to it goes back in time.

A client says so by the parameter `min_serial`, and by the tags in If-None-Match, which hold
serials. Each answer that is read from the database says in `X-Serial` which state it shows.
"""

import re
from typing import Any
from urllib.parse import unquote_plus

from fastapi import Request
from starlette.types import Scope

from api.http.errors import ParameterError
from models.core.errors import Fault
from models.read.marks import Mark

NAME = "min_serial"
MOST_DIGITS = 18
DECLARED: dict[str, Any] = {
    "name": NAME,
    "in": "query",
    "description": "The least serial that the answer may show: the highest `X-Serial` that was"
    " seen before, so that an answer by another server shows nothing older. 503 `behind` if none"
    " has reached it.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 10**MOST_DIGITS - 1},
}
_NUMBER = re.compile(f"[0-9]{{1,{MOST_DIGITS}}}")
_SINCE = re.compile(rb"(?:^|&)since=([0-9]{1,%d})(?=&|$)" % MOST_DIGITS)
# A tag of a list or a page, `W/"s212"`, or of a record, `"212"`; more may follow after a hyphen.
_TAG = re.compile(rb'"s?([0-9]{1,%d})(?:-[^"]*)?"' % MOST_DIGITS)


def take_min_serial(scope: Scope) -> None:
    """Move `min_serial` from the query of a request for `/v1` into its state.

    So the rest of the query means the same to whatever reads it. A value that is invalid stays.
    """
    query = scope["query_string"]
    if b"min_serial" not in query or not scope["path"].startswith("/v1"):
        return
    pieces = query.split(b"&")
    ours = [piece for piece in pieces if piece.startswith(b"min_serial=")]
    # An empty one is as if it was not given, as of every parameter.
    given = [text for piece in ours if (text := unquote_plus(piece[11:].decode("latin-1")).strip())]
    if len(given) > 1 or not all(map(_NUMBER.fullmatch, given)):
        return
    scope["query_string"] = b"&".join(piece for piece in pieces if piece not in ours)
    if given:
        scope.setdefault("state", {})[NAME] = int(given[0])


def refuse_bad_min_serial(request: Request) -> None:
    """Raise ParameterError if `min_serial` is left in a query, since its value is invalid."""
    if NAME in request.query_params:
        detail = f"It takes one whole number of at most {MOST_DIGITS} digits."
        fault = Fault(at=NAME, code="invalid_value", detail=detail)
        raise ParameterError(f"{NAME}: {detail}", [fault])


def mark_of(scope: Scope) -> Mark:
    """Return what the client of a request has seen, and what it requires."""
    required = scope.get("state", {}).get(NAME, 0)
    seen = [required]
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            seen += map(int, _TAG.findall(value))
        elif name == b"last-event-id" and value.isdigit():
            seen.append(int(value[:MOST_DIGITS]))
    if scope["path"].startswith("/v1/changes"):
        # Whoever follows the changes has seen all before.
        seen += map(int, _SINCE.findall(scope["query_string"]))
    return Mark(max(seen), required)
