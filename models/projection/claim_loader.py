"""Loads claims with their parts from the tables."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select
from sqlmodel import SQLModel

from models.database.prepared_statements import fetch, select_rows
from models.projection.tables import StatusPeriod
from models.records import serializers
from models.records.assessment import Assessment
from models.records.claim import Claim, ClaimTopic, Occurrence
from models.records.evidence import Evidence
from models.records.relation import Relation
from models.records.serializers import Row
from models.records.works import works_of
from models.status.claim_aggregate import ClaimAggregate

# The tables of the parts of a claim, and those of them that name sources.
PART_MODELS: tuple[type[SQLModel], ...] = (Occurrence, Evidence, Relation, Assessment)
CITING_MODELS: tuple[type[SQLModel], ...] = (Occurrence, Evidence, Assessment)
_KEYS = {
    model: itemgetter(*serializers.table(model).primary_key.columns.keys()) for model in PART_MODELS
}


def load(connection: Connection, claims: Sequence[str]) -> list[ClaimAggregate]:
    """Load these claims with all their parts, in the order of their slugs."""
    rows = {
        model: select_rows(connection, serializers.table(model), "claim", claims)
        for model in PART_MODELS
    }
    topics = group_by_claim(claim_rows(connection, ClaimTopic, claims))
    found = select_rows(connection, serializers.table(Claim), "id", claims)
    found.sort(key=itemgetter("id"))
    filed = [{**claim, "topics": [row["topic"] for row in topics[claim["id"]]]} for claim in found]
    return assemble(with_related(connection, filed, rows, {}))


@dataclass(frozen=True)
class ClaimRows:
    """Rows of claims (with their topics) and of their parts, with all that was read about them.

    `known` are cited sources as they are shown, and `read` the rows of the other ones; `works` has
    the work of each source, `targets` the first day of each claim that a relation points to.
    """

    claims: Sequence[Row]
    parts: Mapping[type[SQLModel], Sequence[Row]]
    known: Mapping[str, Row]
    read: serializers.SourceRows
    works: Mapping[str, str]
    targets: Mapping[str, str]


def with_related(
    connection: Connection,
    claims: Sequence[Row],
    rows: Mapping[type[SQLModel], Sequence[Row]],
    sources: Mapping[str, Row],
) -> ClaimRows:
    """Read what belongs to these rows of claims and parts, but for the sources in `sources`."""
    cited = {row["source"] for model in CITING_MODELS for row in rows[model] if row["source"]}
    of_lines = {slug for row in rows[Evidence] for slug in (row["source"], *row["pools"])}
    cited |= of_lines
    works = works_of(connection, of_lines)
    read = serializers.read_sources(connection, cited - sources.keys())
    targets = first_days(
        connection, {row["target"] for row in rows[Relation] if row["state"] == "accepted"}
    )
    known = {slug: sources[slug] for slug in cited & sources.keys()}
    return ClaimRows(claims, rows, known, read, works, targets)


def assemble(found: ClaimRows) -> list[ClaimAggregate]:
    """Return claims with their parts; no connection is needed."""
    sources = {**found.known, **serializers.sources_in(found.read)}
    of = {
        model: group_by_claim(sorted(found.parts[model], key=_KEYS[model])) for model in PART_MODELS
    }
    targets = dict(found.targets)
    return [
        ClaimAggregate(
            claim,
            _accepted(of[Occurrence][claim["id"]]),
            [serializers.line_out(row, sources, found.works) for row in of[Evidence][claim["id"]]],
            _accepted(of[Relation][claim["id"]]),
            _accepted(of[Assessment][claim["id"]]),
            sources,
            targets,
        )
        for claim in found.claims
    ]


def first_days(connection: Connection, claims: Collection[str]) -> dict[str, str]:
    """Return the first day of evidence time of each of these claims that has stored periods."""
    if not claims:
        return {}
    period = serializers.table(StatusPeriod)
    values = {f"claim_{number}": claim for number, claim in enumerate(claims)}

    def build() -> Select[Any]:
        is_wanted = period.c.claim.in_([bindparam(name) for name in values])
        first = select(period.c.claim, func.min(period.c.starts))
        return first.where(is_wanted).group_by(period.c.claim)

    _, rows = fetch(connection, ("first days", len(values)), build, values)
    return dict(rows)


def claim_rows(connection: Connection, model: Any, claims: Sequence[str]) -> list[Row]:
    """Return the rows of a claim's own table for these claims, in the order of their keys."""
    table = serializers.table(model)
    rows = select_rows(connection, table, "claim", claims)
    return sorted(rows, key=itemgetter(*table.primary_key.columns.keys()))


def _accepted(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["state"] == "accepted"]


def group_by_claim(rows: Iterable[Row]) -> defaultdict[str, list[Row]]:
    """Group rows by their claim."""
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["claim"]].append(row)
    return grouped
