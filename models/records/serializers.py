"""Reads sources and lines of evidence in the shape in which answers show them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table
from sqlmodel import SQLModel

from models.database.prepared_statements import TableRows, fetch_rows
from models.records.claim import part_id
from models.records.elsewhere import compared
from models.records.evidence import EvidenceIn
from models.records.source import (
    AuthorIn,
    IdentifierIn,
    Source,
    SourceAuthor,
    SourceFields,
    SourceIdentifier,
    citation_of,
)

Row = dict[str, Any]


def table(model: type[SQLModel]) -> Table:
    """Return the table behind a table class."""
    found: Table = model.__table__  # type: ignore[attr-defined]
    return found


def columns_of(source: Any, model: type[SQLModel]) -> Row:
    """Return the values of a row or record under the names of a class's fields, in their order."""
    return {name: source[name] for name in names_of(model)}


@cache
def columns_in(table: Table) -> frozenset[str]:
    """Return the names of a table's columns."""
    return frozenset(table.c.keys())


@cache
def names_of(model: type[SQLModel]) -> tuple[str, ...]:
    """Return the names of a class's fields, in their order."""
    return tuple(model.model_fields)


class SourceRows(NamedTuple):
    """The rows of sources, of their authors and of their identifiers."""

    sources: TableRows = ((), [])
    authors: TableRows = ((), [])
    identifiers: TableRows = ((), [])


def sources_by_id(connection: Connection, ids: Iterable[str]) -> dict[str, Row]:
    """Return sources as `SourceOut` gives them, by slug; a slug that is not stored is absent."""
    return sources_in(read_sources(connection, ids))


def read_sources(connection: Connection, ids: Iterable[str]) -> SourceRows:
    """Return the rows of the sources with these slugs, of those that are stored."""
    wanted = sorted(set(ids))
    return SourceRows(
        fetch_rows(connection, table(Source), "id", wanted),
        fetch_rows(connection, table(SourceAuthor), "source", wanted),
        fetch_rows(connection, table(SourceIdentifier), "source", wanted),
    )


def sources_in(rows: SourceRows) -> dict[str, Row]:
    """Return the sources in these rows as `SourceOut` gives them, by slug."""
    authors = _of_sources(rows.authors, AuthorIn, "position")
    identifiers = _of_sources(rows.identifiers, IdentifierIn, "scheme")
    found = {}
    names, values = rows.sources
    for each in values:
        row = dict(zip(names, each, strict=True))
        slug = row["id"]
        parts = {"authors": authors[slug], "identifiers": identifiers[slug]}
        found[slug] = source_out({**columns_of(row, SourceFields), **parts}, row)
    return found


def _of_sources(rows: TableRows, fields: type[SQLModel], order: str) -> defaultdict[str, list[Row]]:
    """Return the fields of the rows of each source, in the order of a column."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    names, values = rows
    if not values:
        return found
    shown = names_of(fields)
    of_row = itemgetter(*map(names.index, shown))
    place, source = names.index(order), names.index("source")
    for row in sorted(values, key=itemgetter(place)):
        found[row[source]].append(dict(zip(shown, of_row(row), strict=True)))
    return found


def source_out(body: Row, stamp: Any) -> Row:
    """Return a source in the shape of `SourceOut`, from its fields and its stamps."""
    cited = citation_of(body, stamp["year"])
    stamps = {name: stamp[name] for name in ("year", "published", "revision", "created", "updated")}
    return {**body, "citation": cited, **stamps}


def line_out(row: Any, sources: Mapping[str, Row], works: Mapping[str, str]) -> Row:
    """Return a line of evidence as `EvidenceOut` gives it.

    `sources` has its source and those that it pools, `works` the work of each.
    """
    source = sources[row["source"]]
    return {
        "id": part_id(row["claim"], row["key"]),
        "claim": row["claim"],
        **columns_of(row, EvidenceIn),
        "bears_on": "claim" if row["relation_type"] is None else "relation",
        "ratings_compared": compared(row["ratings"], {}),
        "work": works[row["source"]],
        "pooled": [
            {
                "source": slug,
                "work": works[slug],
                "integrity": sources[slug]["integrity"],
                "integrity_date": sources[slug]["integrity_date"],
            }
            for slug in row["pools"]
        ],
        **{
            name: source[name]
            for name in ("citation", "year", "published", "integrity", "integrity_date")
        },
        "date_inferred": source["issued_inferred"] or source["year"] is None,
        **{name: row[name] for name in ("created", "updated")},
    }


def sources_out(connection: Connection, rows: Sequence[Any]) -> list[Row]:
    """Return sources of which only the ids were read as `SourceOut` gives them, in their order."""
    found = sources_by_id(connection, [row["id"] for row in rows])
    return [found[row["id"]] for row in rows]
