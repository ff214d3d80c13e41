"""Claims as a table, one row a claim."""

from collections.abc import Sequence

from pydantic_core import from_json
from sqlalchemy import Connection

from api.citations import csv
from models.records.serializers import Row

COUNTS = (
    *("evidence", "supports", "disputes", "inconclusive"),
    *("groups_supporting", "groups_disputing", "sources"),
)
LISTS = ("topics", "asserted_by")
COLUMNS = (
    *("id", "statement", "kind", "status", "certainty", "status_since", "status_rule"),
    *("evidence_level", "evidence_until", "has_conflict", "leaning"),
    *COUNTS,
    *LISTS,
    *("notice", "note", "revision", "updated"),
)
HEAD = csv.row(COLUMNS)


def table_lines(_connection: Connection, rows: Sequence[Row]) -> list[bytes]:
    """Return the row of the table for each of these claims, as they are read for lists."""
    return [_row(row) for row in rows]


def _row(row: Row) -> bytes:
    claim = {**from_json(row["fields"]), **from_json(row["derived"]), **from_json(row["stamps"])}
    cells = {
        **claim,
        **{name: claim["counts"][name] for name in COUNTS},
        **{name: "; ".join(claim[name]) for name in LISTS},
    }
    return csv.row(cells[column] for column in COLUMNS)
