"""Search in lists: `q`, its synonyms, the order by relevance, and the marks around matches."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastapi import Request
from pydantic import Field
from pydantic_core import from_json, to_json
from sqlalchemy import Connection

from api.http.errors import ParameterError
from api.http.pagination import Lines
from models.core.errors import Fault
from models.core.types import Shape
from models.database.full_text import Query
from models.read import listings, search_results
from models.read.search_results import Search
from models.records.serializers import Row, sources_out

Highlight = dict[str, str]
HIGHLIGHT = (
    "With `highlight`: the position of a text in the record → the text as HTML, with `<mark>`"
    " around matches."
)


class HighlightParameters(Shape):
    """Whether to mark matches."""

    highlight: bool | None = Field(
        None,
        description="`true` adds `highlight` to each record: its texts that contain words of `q`,"
        " as HTML with those words marked.",
    )


def apply_search(
    request: Request, connection: Connection, listing: listings.Listing, kind: str, query: Any
) -> tuple[Search | None, listings.Listing]:
    """Return what `q` asks for and the listing with only its matches.

    Without `q` return None and the listing as it is. Raises ParameterError for parameters that need
    `q`: `highlight`, `match` and `sort=relevance`.
    """
    sort = tuple(getattr(query, "sort", ()))
    if query.q is not None:
        synonyms = request.app.state.synonyms
        search = search_results.search(connection, kind, query.q, synonyms, query.match)
        found = search_results.search_listing(connection, listing, kind, search, sort)
        return search, found
    names = []
    if listings.RELEVANCE in [name.removeprefix("-") for name in sort]:
        names.append("sort")
    names += [name for name in ("highlight", "match") if getattr(query, name, None)]
    if names:
        detail = "Sorting by relevance, highlighting and match need q, the text to search for."
        faults = [Fault(at=name, code="needs_q", detail=detail) for name in names]
        raise ParameterError(detail, faults)
    return None, listing


def highlighting_claims(lines: Lines, query: Query, day: str | None) -> Lines:
    """Return a function that writes claims as JSON with `highlight`.

    The rows must have `search_results.HIGHLIGHT_PARTS`. With `day`, only texts published by then
    are highlighted.
    """

    def highlighted(connection: Connection, rows: Sequence[Row]) -> list[bytes]:
        return _joined(lines(connection, rows), search_results.highlights(rows, query, day))

    return highlighted


def highlighting_evidence(lines: Lines, query: Query) -> Lines:
    """Return a function that writes lines of evidence as JSON with `highlight`."""

    def highlighted(connection: Connection, rows: Sequence[Row]) -> list[bytes]:
        found = [from_json(row["document"]) for row in rows]
        return _joined(lines(connection, rows), search_results.line_highlights(found, query))

    return highlighted


def highlighting_sources(write: Callable[[Row], bytes], query: Query) -> Lines:
    """Return a function that makes JSON of sources by `write`, and adds `highlight`."""

    def highlighted(connection: Connection, rows: Sequence[Row]) -> list[bytes]:
        sources = sources_out(connection, rows)
        highlights = search_results.source_highlights(sources, query)
        return _joined(map(write, sources), highlights)

    return highlighted


def _joined(records: Iterable[bytes], highlights: Sequence[Highlight]) -> list[bytes]:
    """Return JSON objects, none of them empty, with the member `highlight` added."""
    members = (b',"highlight":' + to_json(highlight) + b"}" for highlight in highlights)
    return [record[:-1] + member for record, member in zip(records, members, strict=True)]
