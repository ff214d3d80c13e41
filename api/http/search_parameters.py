"""Search in lists: `q`, its synonyms, the order by relevance, and the marks around what was found."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import Request
from pydantic import BaseModel, Field
from pydantic_core import to_json
from sqlalchemy import Connection

from api.http.errors import ParameterError
from api.http.pagination import Lines
from models.core.errors import Fault
from models.database.full_text import Query
from models.read import listings, search_results
from models.records.serializers import Row, sources_out
from models.search.query import parse

Highlight = dict[str, str]
HIGHLIGHT = "With `highlight`: where a text stands in the record → the text as HTML, with `<mark>` around what was found."


class HighlightParameters(BaseModel):
    """Whether to show what was found."""

    highlight: bool | None = Field(
        None,
        description="`true` adds to each record `highlight`: its texts in which words of `q` stand, as HTML, marked.",
    )


def narrowed(
    request: Request, connection: Connection, listing: listings.Listing, kind: str, query: Any
) -> tuple[Query | None, listings.Listing]:
    """Return what `q` asks for, None where it is not given, and the listing with only what it finds."""
    if query.q is not None:
        sought = parse(query.q, request.app.state.synonyms)
        return sought, search_results.searched(connection, listing, kind, sought)
    sorts = [
        name
        for name in getattr(query, "sort", ())
        if name.removeprefix("-") == search_results.RELEVANCE
    ]
    senseless = [
        name
        for name, given in (("sort", sorts), ("highlight", getattr(query, "highlight", None)))
        if given
    ]
    if senseless:
        detail = (
            "There is relevance, and something to highlight, only where q says what to look for."
        )
        raise ParameterError(
            detail, [Fault(at=name, code="needs_q", detail=detail) for name in senseless]
        )
    return None, listing


def highlighting_claims(lines: Lines, sought: Query, day: str | None) -> Lines:
    """Return what makes JSON of claims with `highlight`; by a day, with what had been published by then.

    Their rows have `finding.MARKED_PARTS`.
    """

    def marked(connection: Connection, rows: Sequence[Row]) -> list[bytes]:
        return _joined(lines(connection, rows), search_results.highlights(rows, sought, day))

    return marked


def highlighting_sources(sought: Query) -> Lines:
    """Return what makes JSON of sources with `highlight`."""

    def marked(connection: Connection, rows: Sequence[Row]) -> list[bytes]:
        found = sources_out(connection, rows)
        return _joined(map(to_json, found), search_results.source_highlights(found, sought))

    return marked


def _joined(lines: Iterable[bytes], highlights: Sequence[Highlight]) -> list[bytes]:
    """Return JSON objects, none of them empty, with one member more."""
    marks = (b',"highlight":' + to_json(each) + b"}" for each in highlights)
    return [line[:-1] + mark for line, mark in zip(lines, marks, strict=True)]
