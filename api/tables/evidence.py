"""Lines of evidence as a table: what a systematic reviewer extracts, one row a line."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection

from api.citations import csv
from models.read.listings import claim_briefs
from models.records.serializers import Row, sources_by_id

# Fields of the line as they are, before and after what is looked up for it.
OF_LINE = (
    *("direction", "level", "question", "directness", "study_design", "sample_size", "sample"),
    *("finding", "population", "exposure", "comparator", "outcome", "follow_up"),
)
OF_EFFECT = ("measure", "estimate", "low", "high", "p", "unit")
# A line with more effects has a row for each of them.
COLUMNS = (
    *("id", "claim", "statement", "citation", "year", "doi", "pmid"),
    *OF_LINE,
    *(f"effect_{name}" for name in OF_EFFECT),
    *("risk_of_bias", "independence_group", "graded_down", "graded_up", "integrity", "locator"),
    *("checked_against", "published", "source"),
)
HEAD = csv.row(COLUMNS)


def table_lines(connection: Connection, rows: Sequence[Row]) -> list[bytes]:
    """Return the rows of the table for each of these lines of evidence."""
    lines = [from_json(row["document"]) for row in rows]
    sources = sources_by_id(connection, sorted({line["source"] for line in lines}))
    claims = claim_briefs(connection, {line["claim"] for line in lines})
    return [
        _rows(line, claims[line["claim"]]["statement"], sources[line["source"]]) for line in lines
    ]


def _rows(line: Row, statement: str, source: Row) -> bytes:
    known = {each["scheme"]: each["value"] for each in source["identifiers"]}
    bias = line["risk_of_bias"]
    values: dict[str, Any] = {
        **line,
        "statement": statement,
        "doi": known.get("doi"),
        "pmid": known.get("pmid"),
        "risk_of_bias": bias["overall"] if bias else None,
        "graded_down": "; ".join(line["graded_down"]),
        "graded_up": "; ".join(line["graded_up"]),
    }
    effects = line["effects"] or [dict.fromkeys(OF_EFFECT)]
    return b"".join(
        csv.row(
            [
                {**values, **{f"effect_{name}": effect[name] for name in OF_EFFECT}}[column]
                for column in COLUMNS
            ]
        )
        for effect in effects
    )
