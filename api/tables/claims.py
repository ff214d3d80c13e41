"""Claims as a table, one row a claim."""

from collections.abc import Sequence

from pydantic_core import from_json
from sqlalchemy import Connection

from api.tables.columns import Table, day, moment, term, text, truth, whole
from models.core import vocabularies as v
from models.records.serializers import Row

COUNTS = (
    whole("evidence", "Accepted lines on the claim that count."),
    whole("supports", "Of them, those that support it."),
    whole("disputes", "Of them, those that dispute it."),
    whole("inconclusive", "Of them, those that take no side."),
    whole("groups_supporting", "Independent bodies of evidence that support it."),
    whole("groups_disputing", "Independent bodies of evidence that dispute it."),
    whole("sources", "Sources that the claim and its parts name."),
)
LISTS = (
    text("topics", "Slugs of its topics; the next one."),
    text("asserted_by", "Slugs of those who assert it; the next one."),
)
TABLE = Table(
    "claims",
    "Claims with what the evidence on them amounts to.",
    (
        text("id", "Slug."),
        text("statement", "What is claimed, one plain sentence."),
        term("kind", v.CLAIM_KINDS, "Kind of claim."),
        term("status", v.STATUSES, "What the evidence amounts to, derived by a rule."),
        term("certainty", v.CERTAINTIES, "Certainty of the conclusion; blank where none applies."),
        day("status_since", "First day of evidence time with this status."),
        text("status_rule", "The rule that decided; see the vocabulary status-rules."),
        term("best_level", v.EVIDENCE_LEVELS, "Best level among the lines that count."),
        term("evidence_level", v.EVIDENCE_LEVELS, "The same as `best_level`; read that."),
        day("evidence_until", "Publication day of the newest dated line."),
        truth("has_conflict", "Whether lines that count stand on both sides."),
        term("leaning", v.LEANINGS, "On which sides lines that count stand."),
        *COUNTS,
        *LISTS,
        text("notice", "A notice to readers of this claim."),
        text("note", "A curator's remark."),
        whole("revision", "Serial of the last change to the claim or its parts."),
        moment("updated", "When it was last changed here, UTC."),
    ),
    key=("id",),
)


def rows(_connection: Connection, found: Sequence[Row]) -> list[Row]:
    """Return the row of the table for each of these claims, as lists read them."""
    return [_row(row) for row in found]


def _row(row: Row) -> Row:
    claim = {**from_json(row["fields"]), **from_json(row["derived"]), **from_json(row["stamps"])}
    return {
        **claim,
        **{column.name: claim["counts"][column.name] for column in COUNTS},
        **{column.name: "; ".join(claim[column.name]) for column in LISTS},
    }
