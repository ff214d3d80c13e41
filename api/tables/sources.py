"""Sources as a table: the columns of their CSV, one row a source."""

from collections.abc import Iterable, Iterator

from api.citations import csv
from api.tables.columns import Column, Table
from models.core import vocabularies as v
from models.records.serializers import Row

# Of the columns that hold no text.
TYPES = {
    **dict.fromkeys(("sample_size", "year", "revision"), "integer"),
    **dict.fromkeys(("authors_complete", "issued_inferred"), "boolean"),
    "published": "date",
    **dict.fromkeys(("created", "updated"), "datetime"),
}
VOCABULARIES = {
    "type": v.SOURCE_TYPES,
    "study_design": v.STUDY_DESIGNS,
    "integrity": v.INTEGRITIES,
    "title_status": v.TITLE_STATUSES,
    **{f"{term.id}_verification": v.VERIFICATIONS for term in v.IDENTIFIER_SCHEMES.terms},
}
TABLE = Table(
    "sources",
    "Sources: any citable work.",
    tuple(
        Column(name, description, TYPES.get(name, "string"), VOCABULARIES.get(name))
        for name, description in csv.COLUMNS.items()
    ),
    key=("id",),
    refers={"main_claim": "claims"},
)


def rows_of(sources: Iterable[Row]) -> Iterator[Row]:
    """Yield the row of the table for each of these sources."""
    empty: Row = dict.fromkeys(TABLE.names)
    for source in sources:
        yield empty | csv.cells_of(source)
