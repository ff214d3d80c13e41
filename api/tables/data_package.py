"""All tables as a release: Parquet files with a data package and a codebook.

The descriptor is that of Frictionless (https://datapackage.org/standard/data-package/).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import to_json
from sqlalchemy import Connection, Select

from api.tables import claims, evidence, matrix, sources, timeline
from api.tables.columns import Column, Table
from api.tables.formats import CSV, PARQUET, TableFormat
from models.core.extras import require_library
from models.core.notice import NOTICE
from models.core.progress import Report, no_report
from models.database.connections import Database
from models.projection import claim_loader
from models.read import facets, listings
from models.read.listings import Listing
from models.records.serializers import Row, sources_out
from models.status import explanation
from models.transfer import export
from models.transfer.licences import all_records, licences_of

TABLES = (claims.TABLE, evidence.TABLE, sources.TABLE, matrix.TABLE, timeline.TABLE)
DESCRIPTOR = "datapackage.json"
# Where the whole tables are served; the timeline is that of one claim.
SERVED = {
    "claims": "/v1/claims?format=csv",
    "evidence": "/v1/evidence?format=csv&retracted=any",
    "sources": "/v1/sources?format=csv",
    "matrix": "/v1/matrix?format=csv",
}
CODEBOOK = "codebook.md"
# Claims are loaded with all their parts for their timelines.
BATCH = 100

MakeRows = Callable[[Connection, Sequence[Row]], Iterable[Row]]


def write_release(database: Database, folder: Path, report: Report = no_report) -> dict[str, int]:
    """Write all tables of a release but the matrix, which says less than evidence does.

    `report` is told of the records that are read. Returns the number of rows of each. Raises
    `CannotExport` where something is in the folder already, and `MissingExtra` without pyarrow.
    """
    require_library("pyarrow")
    counts = {}
    with export.new_folder(folder) as partial_folder, database.read(unlimited=True) as connection:
        total = sum(facets.count(connection, each.listing, {}) for each in RELEASED)
        told = partial(report, total=total)
        for each in RELEASED:
            table = each.table
            counted = _Counted(_all(connection, each, told))
            path = partial_folder / _file_of(table)
            export.write_file(path, PARQUET.write_rows(table, counted))
            counts[table.name] = counted.number
        header = export.export_header(connection)
        package = to_json(_descriptor(header, counts), indent=2) + b"\n"
        export.write_file(partial_folder / DESCRIPTOR, [package])
        export.write_file(partial_folder / CODEBOOK, [codebook().encode()])
    return counts


class _Counted:
    """Rows that are counted as they are read."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows, self.number = rows, 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.number += 1
            yield row


def _rows_of_sources(connection: Connection, found: Sequence[Row]) -> Iterable[Row]:
    return sources.rows_of(sources_out(connection, found))


def _rows_of_timelines(connection: Connection, found: Sequence[Row]) -> Iterable[Row]:
    loaded = claim_loader.load(connection, [row["claim"] for row in found])
    return chain.from_iterable(map(timeline.rows_of, map(explanation.timeline, loaded)))


class Released(NamedTuple):
    """A table of a release: the list of which each record gives rows, and how they are made."""

    table: Table
    listing: Listing
    statement: Callable[[], Select[Any]]
    make: MakeRows


RELEASED = (
    Released(claims.TABLE, listings.CLAIMS, listings.claims_statement, claims.rows),
    Released(evidence.TABLE, listings.EVIDENCE, listings.evidence_statement, evidence.rows),
    Released(sources.TABLE, listings.SOURCES, listings.sources_statement, _rows_of_sources),
    Released(timeline.TABLE, listings.CLAIMS, listings.claims_statement, _rows_of_timelines),
)


def _all(connection: Connection, each: Released, report: Callable[[int], None]) -> Iterator[Row]:
    """Yield the rows of a table, of every page of its list."""

    def make(connection: Connection, found: Sequence[Row]) -> Iterable[Row]:
        report(len(found))
        return each.make(connection, found)

    def reading() -> nullcontext[Connection]:
        return nullcontext(connection)

    return listings.read_all(reading, each.listing, each.statement(), {}, (), make, BATCH)


def _file_of(table: Table) -> str:
    return f"{table.name}.{PARQUET.extension}"


def _descriptor(header: Row, counts: dict[str, int]) -> Row:
    """Return the descriptor of a release with so many rows in each table."""
    files = [
        {**_resource(table, PARQUET, _file_of(table), counts), "rows": counts[table.name]}
        for table in TABLES
        if table.name in counts
    ]
    return _package(header["serial"], header["licences"], files)


def descriptor_of_csv(connection: Connection, base: str) -> Row:
    """Return the descriptor of the tables that an API at the address `base` serves as CSV."""
    licences = licences_of(connection, all_records())
    files = [
        {**_resource(table, CSV, f"{base}{SERVED[table.name]}", SERVED), "encoding": "utf-8"}
        for table in TABLES
        if table.name in SERVED
    ]
    return _package(listings.current_serial(connection), licences, files)


def _package(serial: int, licences: Iterable[str | None], files: Sequence[Row]) -> Row:
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "claimbase",
        "title": "Claims, evidence and sources",
        "description": NOTICE,
        "version": f"{serial}",
        "licenses": [{"name": licence} for licence in licences if licence is not None],
        "resources": files,
    }


def _resource(table: Table, format: TableFormat, path: str, known: Iterable[str]) -> Row:
    """Return a table of a package, which refers to those tables that are known alone."""
    return {
        "name": table.name,
        "description": table.title,
        "path": path,
        "format": format.extension,
        "mediatype": format.media_types[0],
        "schema": schema(table, known),
    }


def schema(table: Table, known: Iterable[str]) -> Row:
    """Return the Table Schema of a table, which refers to those tables that are known alone."""
    keys = [
        {"fields": [column], "reference": {"resource": other, "fields": ["id"]}}
        for column, other in table.refers.items()
        if other in known
    ]
    return {
        "fields": [_field(column, required=column.name in table.key) for column in table.columns],
        **({"primaryKey": list(table.key)} if table.key else {}),
        **({"foreignKeys": keys} if keys else {}),
    }


def _field(column: Column, *, required: bool) -> Row:
    constraints: Row = {"required": True} if required else {}
    if column.vocabulary is not None:
        constraints["enum"] = list(column.vocabulary.ids)
    described = {"name": column.name, "type": column.type, "description": column.description}
    return {**described, "constraints": constraints} if constraints else described


def codebook() -> str:
    """Return what each column of each table means, as Markdown."""
    return "\n".join(chain.from_iterable(map(_chapter, TABLES)))


def _chapter(table: Table) -> Iterator[str]:
    yield from (f"## `{table.name}`", "", table.title, "")
    yield from ("| column | type | meaning |", "|---|---|---|")
    for column in table.columns:
        yield f"| `{column.name}` | {column.type} | {column.description} |"
    yield ""
