"""Reads sources and lines of evidence in the shape in which answers show them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table
from sqlmodel import SQLModel

from models.database.prepared_statements import select_rows
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


def sources_by_id(connection: Connection, ids: Iterable[str]) -> dict[str, Row]:
    """Return sources as `SourceOut` gives them, by slug; a slug that is not stored is absent."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    authors = _of_sources(connection, SourceAuthor, AuthorIn, wanted, "position")
    identifiers = _of_sources(connection, SourceIdentifier, IdentifierIn, wanted, "scheme")
    found = {}
    for row in select_rows(connection, table(Source), "id", wanted):
        slug = row["id"]
        parts = {"authors": authors[slug], "identifiers": identifiers[slug]}
        found[slug] = source_out({**columns_of(row, SourceFields), **parts}, row)
    return found


def _of_sources(
    connection: Connection,
    model: type[SQLModel],
    fields: type[SQLModel],
    slugs: Sequence[str],
    order: str,
) -> dict[str, list[Row]]:
    """Return the fields of the rows of each of these sources, in the order of a column."""
    rows = select_rows(connection, table(model), "source", slugs)
    rows.sort(key=itemgetter(order))
    found = defaultdict(list)
    for row in rows:
        found[row["source"]].append(columns_of(row, fields))
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
